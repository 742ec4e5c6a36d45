"""Which amounts of which budgets are watched, under which claim, and what is said when one is reached."""

import pytest

from gateway.core.alerts import Owner, SpendAlert, WatchedAmount, budget_windows, reached_amounts, watched_counters
from gateway.core.records import Limit

NOW_MS = 1_767_268_800_000  # 2026-01-01 12:00:00
PERCENTS = (80, 50, 100)
ALERT = SpendAlert("alert_1", 0, 20_000_000_000, ("a@example.org",))


def owner(*limits: Limit, alerts: tuple[SpendAlert, ...] = ()) -> Owner:
    return Owner("project", "proj_1", "search", limits, alerts)


def all_reached(owner: Owner, percents: tuple[int, ...], now_ms: int, used: int = 10**15) -> list[WatchedAmount]:
    """What is reached when so much is used of every counter."""
    meters = watched_counters(owner, budget_windows(now_ms))
    return [amount for meter in meters for amount in reached_amounts(owner, meter, used, percents)]


def amounts(found: list[WatchedAmount]) -> list[tuple[str, int, int | None]]:
    return [(each.meter.used_field, each.threshold, each.percent) for each in found]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (Limit("money", 10_000, "month"), [("u:money:2026-01", each * 100, each) for each in (50, 80, 100)]),
        (Limit("requests", 3, "day"), [("u:requests:2026-01-01", each, p) for each, p in ((2, 50), (3, 80), (3, 100))]),
        (Limit("tokens", 100, "total"), [("u:tokens:total", each, each) for each in (50, 80, 100)]),
        (Limit("money", 0, "month"), []),
        (Limit("requests", 60, "minute"), []),
        (Limit("money", 60, "hour"), []),
        (Limit("concurrency", 4, "now"), []),
        (Limit("requests", 60, "day", "@cf/a"), []),
        (
            Limit("neurons", 3, "day"),
            [("u:neurons:2026-01-01", n * 10**7, p) for n, p in ((150, 50), (240, 80), (300, 100))],
        ),
    ],
)
def test_watched_amounts_of_a_limit(limit: Limit, expected: list[tuple[str, int, int | None]]) -> None:
    assert amounts(all_reached(owner(limit), PERCENTS, NOW_MS)) == expected


def test_watched_amounts_of_spend_alerts_stand_beside_those_of_limits() -> None:
    found = all_reached(owner(Limit("money", 100, "month"), alerts=(ALERT,)), (), NOW_MS)
    assert amounts(found) == [("u:money:2026-01", 20_000_000_000, None)]


@pytest.mark.parametrize(
    ("used", "percents"), [(499, []), (500, [50]), (799, [50]), (800, [50, 80]), (1000, [50, 80, 100])]
)
def test_amounts_are_reached_to_the_unit(used: int, percents: list[int]) -> None:
    found = all_reached(owner(Limit("tokens", 1000, "day")), PERCENTS, NOW_MS, used)
    assert [each.percent for each in found] == percents
    assert all_reached(owner(Limit("tokens", 1000, "day")), (), NOW_MS, used) == []


def test_spend_alerts_and_a_budget_share_their_counter() -> None:
    both = owner(Limit("money", 100, "month"), Limit("money", 50, "day"), alerts=(ALERT,))
    assert len(watched_counters(both, budget_windows(NOW_MS))) == 2
    assert len(watched_counters(owner(alerts=(ALERT,)), budget_windows(NOW_MS))) == 1
    assert [each.percent for each in all_reached(both, (100,), NOW_MS)] == [100, None, 100]
    assert all_reached(owner(alerts=(ALERT,)), PERCENTS, NOW_MS, ALERT.threshold_nano - 1) == []


def test_claims_tell_windows_limits_percentages_and_owners_apart() -> None:
    many = [
        *all_reached(owner(Limit("money", 100, "month")), PERCENTS, NOW_MS),
        *all_reached(owner(Limit("money", 100, "month")), PERCENTS, NOW_MS + 31 * 86_400_000),
        *all_reached(owner(Limit("money", 200, "month")), PERCENTS, NOW_MS),
        *all_reached(Owner("key", "key_1", "bot", [Limit("money", 100, "month")]), PERCENTS, NOW_MS),
        *all_reached(owner(alerts=(ALERT,)), PERCENTS, NOW_MS),
    ]
    assert len({each.claim for each in many}) == len(many) == 13
    assert all_reached(owner(Limit("money", 100, "month")), PERCENTS, NOW_MS + 1000)[0].claim == many[0].claim


def test_reached_says_it_in_a_sentence() -> None:
    (half, *_) = all_reached(owner(Limit("money", 25_000_000_000, "month")), PERCENTS, NOW_MS)
    assert half.reached(12_600_000_000).sentence() == (
        "project search (proj_1) has used 50 % of its limit of $25.00 per month: $12.60; "
        "it starts anew 2026-02-01 00:00 UTC"
    )
    (total, *_) = all_reached(owner(Limit("tokens", 1000, "total")), PERCENTS, NOW_MS)
    assert total.reached(501).sentence() == (
        "project search (proj_1) has used 50 % of its limit of 1000 tokens in total: 501 tokens"
    )
    (alert,) = all_reached(owner(alerts=(ALERT,)), PERCENTS, NOW_MS)
    assert alert.reached(21_000_000_000).sentence() == (
        "project search (proj_1) has spent $21.00 per month; a spend alert stands at $20.00; "
        "it starts anew 2026-02-01 00:00 UTC"
    )
    assert alert.reached(21_000_000_000).limit is None


def test_reached_neurons_are_told_in_whole_ones() -> None:
    (half, *_) = all_reached(owner(Limit("neurons", 100, "total")), PERCENTS, NOW_MS, 10**11)
    told = half.reached(50 * 10**9 + 1)
    assert told.unit == "nano_neurons"
    assert told.sentence() == "project search (proj_1) has used 50 % of its limit of 100 neurons in total: 51 neurons"
