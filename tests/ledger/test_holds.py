"""Following the store's clock: a wrong idea of it is corrected by one answer. What a hold does: tests/lua."""

import asyncio
import time

import pytest
from msgspec.structs import replace
from support.ledgers import NOW_MS, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.core.errors import StoreAway
from gateway.core.records import SpendLimit
from gateway.ledger.contract import Held, Refused, Revoked
from gateway.ledger.holds import LATE_MS, Holds, StoreClock
from gateway.store.contract import Reconnected


def test_store_clock_follows_what_it_learned() -> None:
    clock = StoreClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 60_000
    assert (clock.argument(), clock.latest()) == ("", "")
    clock.learn(5_000_000)
    assert 5_000_000 <= clock.now_ms() < 5_060_000
    assert 5_000_000 + LATE_MS <= int(clock.latest()) < 5_060_000 + LATE_MS


def test_take_with_a_clock_far_behind_is_late_once_and_then_held(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url, 10**9) as world:
            clock = StoreClock()
            clock.learn(1_000_000)  # 1970: every window and every latest moment is wrong
            holds = Holds(world.store, world.places, clock)
            outcome = await holds.take(make_request(world.identity, "r1"), None)
            assert isinstance(outcome, Held)
            seconds, _ = await world.store.command("TIME")
            assert abs(clock.now_ms() // 1000 - int(seconds)) <= 1
            assert abs(outcome.created_ms // 1000 - int(seconds)) <= 1

    asyncio.run(play())


def test_take_under_a_clock_that_jumps_every_time_gives_up(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url, 10**9) as world:
            times = iter(range(NOW_MS, NOW_MS * 2, 40 * 86_400_000))
            holds = Holds(world.store, world.places, StoreClock(lambda: next(times)))
            with pytest.raises(StoreAway, match="clock"):
                await holds.take(make_request(world.identity, "r1"), None)

    asyncio.run(play())


def test_take_with_a_record_known_to_be_revoked_asks_nobody(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            before = world.store.commands
            revoked = replace(world.identity, key=replace(world.identity.key, revoked_at=5))
            assert await world.holds.take(make_request(revoked, "r1"), None) == Revoked()
            assert world.store.commands == before

    asyncio.run(play())


def test_take_refused_names_the_tightest_of_several_limits(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url, 10**6) as world:
            organization = replace(world.identity.organization, spend_limit=SpendLimit(100))
            await world.store.command("HSET", world.layout.spent("o"), "u:money:2025-10", 60)
            outcome = await world.holds.take(
                make_request(replace(world.identity, organization=organization), "r1"), None
            )
            assert isinstance(outcome, Refused)
            assert (outcome.scope, outcome.limit, outcome.used, outcome.held) == ("organization", 100, 60, 0)

    asyncio.run(play())


def test_take_on_another_connection_than_meant_is_not_sent(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            with pytest.raises(Reconnected):
                await world.holds.take(make_request(world.identity, "r1"), None, world.store.generation - 1)
            assert await world.store.command("HLEN", world.layout.shared("holds")) == 0

    asyncio.run(play())
