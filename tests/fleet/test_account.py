"""Which failures stop the account, and until when."""

import pytest

from gateway.core.answer import Failure
from gateway.core.eligibility import Stop
from gateway.fleet.account import stop_after

DAY = 86_400


@pytest.mark.parametrize("code", [4006, 3036])
def test_stop_after_the_daily_allocation_lasts_until_midnight_utc(code: int) -> None:
    assert stop_after(Failure("quota", "x", code=code), 3 * DAY + 5.5) == Stop("quota", 4 * DAY)
    assert stop_after(Failure("quota", "x", code=code), 3 * DAY) == Stop("quota", 4 * DAY)


@pytest.mark.parametrize("code", [971, 10429])
def test_stop_after_the_api_wide_limit_lasts_five_minutes(code: int) -> None:
    assert stop_after(Failure("rate_limited", "x", code=code), 10.0) == Stop("rate_limited", 310.0)
    assert stop_after(Failure("rate_limited", "x", code=code, retry_after=20), 10.0) == Stop("rate_limited", 30.0)


@pytest.mark.parametrize(
    "failure", [Failure("capacity", "x", code=3040), Failure("quota", "x", code=2045), Failure("rate_limited", "x")]
)
def test_stop_after_other_failures_is_none(failure: Failure) -> None:
    assert stop_after(failure, 10.0) is None
