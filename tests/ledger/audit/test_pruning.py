"""Counters of times long past: which they are, and that nobody misses them."""

import asyncio
from datetime import UTC, datetime

import pytest
from support.ledgers import make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.ledger.audit.book_check import check_counters
from gateway.ledger.audit.pruning import is_past, prune_counters
from gateway.ledger.entries import Settle

DAY = 86_400
NOW = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp())
TODAY = NOW - NOW % DAY


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("2026-11-25", False),
        ("2026-10-21", False),
        ("2026-10-20", True),
        ("2026-10-20@Europe/Berlin", True),
        ("2026-W43", False),
        ("2026-W42", True),
        ("2026-W42@Asia/Kolkata", True),
        ("2025-01", False),
        ("total", False),
        ("now", False),
        ("minute", False),
    ],
)
def test_is_past_by_the_end_of_the_window(label: str, expected: bool) -> None:
    assert is_past(label, NOW) is expected


def test_prune_counters_drops_old_days_and_the_check_misses_none(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            first = TODAY - 60 * DAY
            for number, day in enumerate((first, TODAY - 36 * DAY, TODAY - 35 * DAY, TODAY), 1):
                receipt = make_receipt(make_request(world.identity, f"r{number}"), day * 1000)
                assert await world.settle(number, Settle(receipt)) == ["OK", number]
            scopes = ("o", "p:proj_1", "k:key_1")
            days = range(first, TODAY + 1, DAY)
            assert (await check_counters(world.store, world.layout, days, scopes)).findings == []
            assert await prune_counters(world.store, world.layout, scopes, NOW) > 0
            assert await prune_counters(world.store, world.layout, scopes, NOW) == 0
            left = {name.decode() for name in await world.store.command("HKEYS", world.layout.spent("o"))}
            assert {name.split(":")[2] for name in left if name.startswith("u:money:2026")} == {
                "2026-10-21", "2026-W43", "2026-09", "2026-10", "2026-11-25", "2026-W48", "2026-11",
            }  # fmt: skip
            assert (await check_counters(world.store, world.layout, days, scopes)).findings == []

    asyncio.run(play())
