"""The account's rates as they are where nothing is said: kept to nothing, and a bounded queue."""

from gateway.core.account import MINUTE, AccountRates


def test_rates_keep_to_nothing_and_bound_the_queue() -> None:
    rates = AccountRates()
    assert rates.requests_per_minute is rates.api_requests_per_five_minutes is None
    assert MINUTE / 2 <= rates.queue_seconds <= MINUTE
    assert rates.queue_length > 0
