"""Limits of keys on a real server: rolling windows slot by slot, places, several limits at once, exact waits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.ledgers import NOW_MS, PRICE, World, make_receipt, make_request, open_world, read_books, write_identity
from support.valkey import ThrowAwayStore

from gateway.core.pricing import worst_cost
from gateway.core.rates import Rate
from gateway.core.records import Limit
from gateway.ledger.contract import Held, Refused
from gateway.ledger.entries import Release, Settle

Scenario = Callable[[World], Awaitable[None]]
SECOND = 1000


def run(server: ThrowAwayStore, scenario: Scenario, *limits: Limit, budget: int | None = None) -> None:
    async def play() -> None:
        async with open_world(server.url, budget, limits) as world:
            await scenario(world)

    asyncio.run(play())


async def take(world: World, name: str, created_ms: int | None = None, **claims: Any) -> Any:  # one of four outcomes
    return await world.holds.take(make_request(world.identity, name, **claims), created_ms)


async def settle(world: World, number: int, name: str, created_ms: int, **usage: int) -> None:
    entry = Settle(make_receipt(make_request(world.identity, name), created_ms, **usage))
    assert await world.settle(number, entry) == ["OK", number]


async def slots(world: World, what: str) -> list[int]:
    return (await read_books(world.store, world.layout)).rolling["k:key_1"].get(what, [])


def test_hold_requests_per_minute_are_refused_until_the_oldest_slot_has_left(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        for number in range(3):
            outcome = await take(world, f"r{number}")
            assert outcome.rates == (Rate("requests", 3, 2 - number, 61_000 - world.clock.ms % 1000),)
            world.clock.ms += 10_250
        refused = await take(world, "r3")
        assert isinstance(refused, Refused)
        assert (refused.scope, refused.kind, refused.window) == ("key", "requests", "minute")
        assert (refused.used, refused.held, refused.limit) == (0, 3, 3)
        assert refused.retry_after == (NOW_MS + 61_000 - world.clock.ms) / 1000
        assert refused.resets_at == NOW_MS // 1000 + 61
        assert refused.rates == (Rate("requests", 3, 0, NOW_MS + 20_500 // 1000 * 1000 + 61_000 - world.clock.ms),)
        world.clock.ms = NOW_MS + 61_000 - 1
        assert isinstance(await take(world, "r3"), Refused)
        world.clock.ms += 1
        assert isinstance(await take(world, "r3"), Held)

    run(server, scenario, Limit("requests", 3, "minute"))


def test_settle_corrects_the_slot_of_its_hold(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        second = NOW_MS // SECOND
        await take(world, "r1", prompt=100, output=200)
        world.clock.ms += 5 * SECOND
        await take(world, "r2", prompt=100, output=200)
        assert await slots(world, "tokens:minute") == [second, 0, 300, second + 5, 0, 300]
        world.clock.ms += 5 * SECOND
        await settle(world, 1, "r1", NOW_MS, prompt=90, completion=40)
        assert await slots(world, "tokens:minute") == [second, 130, 0, second + 5, 0, 300]
        assert await world.settle(2, Release("r2", NOW_MS + 5 * SECOND, "proj_1", "key_1")) == ["OK", 2]
        assert await slots(world, "tokens:minute") == [second, 130, 0, second + 5, 0, 0]
        world.clock.ms += 60 * SECOND
        await take(world, "r3", prompt=0, output=60)
        assert await slots(world, "tokens:minute") == [second + 70, 0, 60]

    run(server, scenario, Limit("tokens", 1000, "minute"))


def test_settle_after_its_slot_has_left_counts_nothing(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world, "r1")
        world.clock.ms += 62 * SECOND
        await take(world, "r2", prompt=0, output=60)
        await settle(world, 1, "r1", NOW_MS)
        assert await slots(world, "tokens:minute") == [NOW_MS // SECOND + 62, 0, 60]

    run(server, scenario, Limit("tokens", 1000, "minute"))


def test_expire_keeps_the_estimate_in_its_slot_until_the_receipt_comes(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        second = NOW_MS // SECOND
        await take(world, "r1", prompt=100, output=200)
        await take(world, "r2", prompt=100, output=200)
        world.clock.ms += 31 * SECOND
        await world.leases.expire()
        assert await slots(world, "tokens:minute") == [second, 600, 0]
        await settle(world, 1, "r1", NOW_MS, prompt=90, completion=40)
        assert await slots(world, "tokens:minute") == [second, 430, 0]
        assert await world.settle(2, Release("r2", NOW_MS, "proj_1", "key_1")) == ["OK", 2]
        assert await slots(world, "tokens:minute") == [second, 130, 0]

    run(server, scenario, Limit("tokens", 1000, "minute"))


def test_hold_restated_moves_its_claim_to_the_slot_of_now(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world, "r1", prompt=100, output=200)
        world.clock.ms += 3 * SECOND
        assert (await take(world, "r1", NOW_MS, prompt=100, output=300)).max_tokens == 300
        assert await slots(world, "tokens:minute") == [NOW_MS // SECOND, 0, 0, NOW_MS // SECOND + 3, 0, 400]
        assert isinstance(await take(world, "r1", NOW_MS, prompt=1000, output=300), Refused)
        assert (await slots(world, "tokens:minute"))[3:] == [NOW_MS // SECOND + 3, 0, 400]

    run(server, scenario, Limit("tokens", 1000, "minute"))


def test_hold_on_few_tokens_grants_what_fits(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        assert (await take(world, "r1", prompt=100, output=800)).max_tokens == 800
        assert (await take(world, "r2", prompt=40, output=800)).max_tokens == 60
        refused = await take(world, "r3", prompt=1, output=800)
        assert (refused.kind, refused.needed, refused.held) == ("tokens", 51, 1000)
        assert refused.retry_after == 61.0

    run(server, scenario, Limit("tokens", 1000, "minute"))


@pytest.mark.parametrize(
    "limit", [Limit("tokens", 149, "minute"), Limit("tokens", 149, "day"), Limit("requests", 0, "minute")]
)
def test_hold_larger_than_the_limit_is_never_told_to_wait(server: ThrowAwayStore, limit: Limit) -> None:
    async def scenario(world: World) -> None:
        refused = await take(world, "r1", prompt=100, output=200)
        assert (refused.kind, refused.retry_after) == (limit.kind, None)
        assert refused.needed > refused.limit

    run(server, scenario, limit)


def test_hold_concurrency_is_what_is_alive(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        assert isinstance(await take(world, "r1"), Held)
        assert isinstance(await take(world, "r2"), Held)
        refused = await take(world, "r3")
        assert (refused.kind, refused.window, refused.limit, refused.held) == ("concurrency", "now", 2, 2)
        assert (refused.retry_after, refused.resets_at) == (None, None)
        assert isinstance(await take(world, "r1", NOW_MS, output=20), Held)  # a fallback needs no second place
        await settle(world, 1, "r2", NOW_MS)
        assert isinstance(await take(world, "r3"), Held)
        world.clock.ms += 31 * SECOND
        await world.leases.expire()
        assert (await read_books(world.store, world.layout)).held["k:key_1"]["concurrency:now"] == 0

    run(server, scenario, Limit("concurrency", 2, "now"))


def test_hold_over_several_limits_names_the_one_that_lasts_longest(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world, "r1", prompt=100, output=200)
        world.clock.ms += 2 * SECOND
        refused = await take(world, "r2", prompt=100, output=200)
        assert (refused.kind, refused.window, refused.retry_after) == (
            "requests",
            "hour",
            3_600 + 60 - 2 - NOW_MS / 1000 % 60,
        )
        books = await read_books(world.store, world.layout)
        assert books.held["p:proj_1"]["money:2025-10"] == worst_cost(PRICE, 100, 200)  # all or nothing

    limits = (Limit("concurrency", 1, "now"), Limit("tokens", 300, "minute"), Limit("requests", 1, "hour"))
    run(server, scenario, *limits, budget=10**9)


@pytest.mark.parametrize(
    ("window", "last_ms"),
    [
        ("day", 1_760_054_400_000 - 1),  # 2025-10-09
        ("week", 1_760_313_600_000 - 1),  # a Sunday
        ("month", 1_761_955_200_000 - 1),  # 2025-10-31
    ],
)
def test_hold_calendar_limits_begin_anew_with_their_window(server: ThrowAwayStore, window: str, last_ms: int) -> None:
    async def scenario(world: World) -> None:
        world.clock.ms = last_ms
        await take(world, "r1")
        refused = await take(world, "r2")
        assert (refused.window, refused.resets_at, refused.retry_after) == (window, (last_ms + 1) // 1000, None)
        world.clock.ms += 1
        assert isinstance(await take(world, "r2"), Held)
        await settle(world, 1, "r1", last_ms)  # booked where it belongs: before the boundary
        assert isinstance(await take(world, "r3"), Refused)

    run(server, scenario, Limit("requests", 1, window))


def test_hold_under_a_new_day_limit_knows_what_the_day_used_before(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world, "r1")
        await settle(world, 1, "r1", NOW_MS, prompt=90, completion=40)
        key = replace(world.identity.key, version=2, limits=(Limit("tokens", 200, "day"),))
        world.identity = replace(world.identity, key=key)
        await write_identity(world.store, world.layout, world.identity)
        refused = await take(world, "r2")
        assert (refused.kind, refused.used) == ("tokens", 130)

    run(server, scenario)


def test_hold_with_a_disabled_key_finds_it_out(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        key = replace(world.identity.key, version=2, disabled=True)
        await write_identity(world.store, world.layout, replace(world.identity, key=key))
        assert type(await take(world, "r1")).__name__ == "Revoked"

    run(server, scenario)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(50, 700)), min_size=5, max_size=40))
def test_hold_any_arrivals_are_never_over_the_limit_in_any_minute(
    server: ThrowAwayStore, arrivals: list[tuple[int, int]]
) -> None:
    limit = 1000
    admitted: list[tuple[int, int]] = []

    async def scenario(world: World) -> None:
        for number, (pause, output) in enumerate(arrivals):
            world.clock.ms += pause
            outcome = await take(world, f"r{number}", prompt=0, output=output)
            if isinstance(outcome, Held):
                admitted.append((world.clock.ms, outcome.max_tokens))
                continue
            free = limit - sum(tokens for at, tokens in admitted if at > world.clock.ms - 61_000)
            assert free < 50  # one slot early at most
            world.clock.ms += round(outcome.retry_after * 1000) - 1
            assert isinstance(await take(world, f"r{number}", prompt=0, output=50), Refused)
            world.clock.ms += 1
            assert isinstance(await take(world, f"r{number}", prompt=0, output=50), Held)
            admitted.append((world.clock.ms, 50))
        for start, _ in admitted:
            assert sum(tokens for at, tokens in admitted if start <= at < start + 60_000) <= limit

    run(server, scenario, Limit("tokens", limit, "minute"))
