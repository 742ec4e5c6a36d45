"""Limits of a calendar day by another timezone than UTC: when they begin anew, and whether the books' check agrees."""

import asyncio
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from support.ledgers import World, make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.core.records import Limit
from gateway.ledger.audit.book_check import check_counters
from gateway.ledger.audit.row_check import DAY
from gateway.ledger.contract import Held, Refused
from gateway.ledger.entries import Settle

BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
MIDNIGHT = int(datetime(2026, 7, 1, tzinfo=BERLIN).timestamp())  # 2026-06-30 22:00 UTC


async def serve(world: World, number: int) -> bool:
    """Whether one request was admitted; if so it is settled."""
    request = make_request(world.identity, f"r{number}")
    held = await world.holds.take(request, None)
    if isinstance(held, Held):
        await world.settle(number, Settle(make_receipt(request, held.created_ms)))
        return True
    assert isinstance(held, Refused)
    assert (held.window, held.resets_at) == ("day", MIDNIGHT)
    return False


@pytest.mark.parametrize("zone", [BERLIN, UTC])
def test_limit_per_day_begins_anew_at_the_zones_midnight(server: ThrowAwayStore, zone: tzinfo) -> None:
    async def play() -> None:
        async with open_world(server.url, limits=(Limit("requests", 1, "day"),), zone=zone) as world:
            world.clock.ms = (MIDNIGHT - 1) * 1000
            assert await serve(world, 1)
            if zone is BERLIN:
                assert not await serve(world, 2)
                world.clock.ms = MIDNIGHT * 1000
                assert await serve(world, 2)
            fields = await world.store.command("HKEYS", world.layout.spent("o"))
            labels = {name.decode().rpartition(":")[2] for name in fields}
            june, july = ("2026-06-30", "2026-W27", "2026-06"), ("2026-07-01", "2026-07")
            named = {*june} if zone is UTC else {f"{label}@Europe/Berlin" for label in june + july}
            assert labels == named | {"total"}

    asyncio.run(play())


@pytest.mark.parametrize("zone", [BERLIN, KOLKATA])
def test_check_of_the_books_counts_by_the_zones_calendar(server: ThrowAwayStore, zone: tzinfo) -> None:
    first, last = MIDNIGHT - 40 * 3600, MIDNIGHT + 72 * 3600

    async def play() -> None:
        async with open_world(server.url, zone=zone) as world:
            for number, second in enumerate(range(first, last, 3 * 3600 + 600), 1):
                world.clock.ms = second * 1000
                assert await serve(world, number)
            days = list(range(first - first % DAY, last, DAY))
            assert (await check_counters(world.store, world.layout, days)).findings == []
            names = ("u:money:2026-07-01@Europe/Berlin", "u:money:total")
            for name in names:
                await world.store.command("HINCRBY", world.layout.spent("o"), name, 1)
            found = {each.subject for each in (await check_counters(world.store, world.layout, days)).findings}
            assert found == (set(names) if zone is BERLIN else {"u:money:total"})  # India's days begin within an hour

    asyncio.run(play())
