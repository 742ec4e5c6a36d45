"""The day's neurons go on at the pace of the last hours; the free ones last until the sum comes to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.forecast import Forecast, forecast

DAY = 86_400 * 20_000
HOUR = 3_600


@pytest.mark.parametrize(
    ("by_hour", "now", "free", "expected"),
    [
        ([0], 60, 10, Forecast(0, None)),
        ([60], 60, 86_400, Forecast(86_400, None)),  # one a second, all day
        ([60], 60, 43_200, Forecast(86_400, DAY + 43_200)),
        ([3_600, 1_800], HOUR + 1_800, 90_000, Forecast(86_400, None)),
        ([36_000, 3_600, 1_800], 2 * HOUR + 1_800, 200_000, Forecast(41_400 + 77_400, None)),  # the first is long ago
        ([100, 100], 2 * HOUR - 1, 150, Forecast(200 + round(200 / 7_199 * 79_201), DAY + HOUR + 1_800)),
        ([0, 0, 0], 2 * HOUR, 0, Forecast(0, DAY)),
    ],
)
def test_forecast_of_a_day(by_hour: list[int], now: int, free: int, expected: Forecast) -> None:
    assert forecast(by_hour, DAY + now, free) == expected


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=24), st.integers(0, HOUR - 1), st.integers(0, 10**16))
def test_forecast_stays_within_the_day_and_never_below_what_is_used(amounts: list[int], second: int, free: int) -> None:
    now = DAY + (len(amounts) - 1) * HOUR + second
    found = forecast(amounts, now, free)
    assert found.by_midnight_nano >= sum(amounts)
    if found.exhausted_at is not None:
        assert DAY <= found.exhausted_at <= DAY + 86_400
        assert (found.exhausted_at <= now) == (sum(amounts) >= free) or found.exhausted_at == now
