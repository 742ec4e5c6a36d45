"""Holds against held counters, with the real hold step."""

import asyncio

from support.ledgers import make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.ledger.audit.hold_check import ORPHAN_MS, check_holds
from gateway.ledger.holds import LEASE_MS


def test_check_holds_reserved_amounts_agree_until_one_is_changed(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url, 10**12) as world:
            for number in range(3):
                await world.holds.take(make_request(world.identity, f"r{number}"), None)
            scopes = ["o", "p:proj_1", "k:key_1"]
            assert (await check_holds(world.store, world.layout, scopes, str(world.clock()))).findings == []
            counters = world.layout.spent("p:proj_1")
            (field,) = [name for name in await world.store.command("HKEYS", counters) if name.startswith(b"h:")]
            await world.store.command("HDEL", counters, field)
            (finding,) = (await check_holds(world.store, world.layout, scopes, str(world.clock()))).findings
            assert (finding.check, finding.place, finding.subject) == ("held", counters, field.decode())
            assert finding.found == (0,)
            assert finding.expected[0] > 0

    asyncio.run(play())


def test_check_holds_long_past_its_lease_is_an_orphan(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            await world.holds.take(make_request(world.identity, "r1"), None)
            world.clock.ms += LEASE_MS + ORPHAN_MS
            assert (await check_holds(world.store, world.layout, ["o"], str(world.clock()))).findings == []
            world.clock.ms += 1
            (finding,) = (await check_holds(world.store, world.layout, ["o"], str(world.clock()))).findings
            assert (finding.check, finding.subject) == ("orphans", "r1")

    asyncio.run(play())
