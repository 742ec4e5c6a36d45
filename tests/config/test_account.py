"""The `account` section: what Cloudflare allows, in a file."""

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problems import ConfigErrors
from gateway.core.account import AccountRates


def rates(text: str) -> AccountRates:
    return load(text, {}, Path("/"), demo=False).account


def test_account_keeps_to_nothing_unless_told() -> None:
    assert rates("") == rates("account: {requests_per_minute: null}") == AccountRates()


def test_account_takes_its_figures() -> None:
    text = "account: {requests_per_minute: 300, api_requests_per_five_minutes: 1200, queue_seconds: 5, queue_length: 9}"
    assert rates(text) == AccountRates(300, 1200, 5.0, 9)


@pytest.mark.parametrize("text", ["requests_per_minute: 0", "queue_seconds: -1", "queue_length: many", "rpm: 3"])
def test_account_refuses_what_is_no_figure(text: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        rates(f"account: {{{text}}}")
    assert "account." in str(caught.value)
