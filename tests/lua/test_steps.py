"""The accounting steps on a real server, state by state: what is taken, returned, booked, refused."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from support.ledgers import (
    NOW_MS,
    PRICE,
    World,
    assert_books_agree,
    make_receipt,
    make_request,
    open_world,
    read_books,
    write_identity,
)
from support.valkey import ThrowAwayStore

from gateway.core.catalog import Price
from gateway.core.errors import StoreAway
from gateway.core.limits import LARGEST_LIMIT
from gateway.core.pricing import worst_cost
from gateway.ledger.contract import Held, Refused, Revoked, Stale
from gateway.ledger.entries import Entry, Release, Settle
from gateway.ledger.leases import LiveHold

Scenario = Callable[[World], Awaitable[None]]
FULL = worst_cost(PRICE, 100, 200)
LEAST = worst_cost(PRICE, 100, 50)


def run(server: ThrowAwayStore, scenario: Scenario, budget: int | None = 10**9) -> None:
    async def play() -> None:
        async with open_world(server.url, budget) as world:
            await scenario(world)

    asyncio.run(play())


async def take(world: World, name: str = "r1", **claims: Any) -> Any:  # one of four outcomes; the test says which
    return await world.holds.take(make_request(world.identity, name, **claims), None)


def settle_of(world: World, name: str = "r1", created_ms: int = NOW_MS, **usage: int) -> Settle:
    return Settle(make_receipt(make_request(world.identity, name), created_ms, **usage))


def release_of(name: str = "r1", created_ms: int = NOW_MS) -> Release:
    return Release(name, created_ms, "proj_1", "key_1")


async def held_money(world: World) -> int:
    found = await world.store.command("HGET", world.layout.spent("p:proj_1"), "h:money:2025-10")
    return int(found or 0)


async def used_money(world: World) -> int:
    found = await world.store.command("HGET", world.layout.spent("p:proj_1"), "u:money:2025-10")
    return int(found or 0)


async def let_expire(world: World) -> None:
    world.clock.ms += 31_000
    await world.leases.expire()


def test_hold_absent_takes_the_worst_case(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        assert await take(world) == Held(NOW_MS, 200)
        assert await held_money(world) == FULL

    run(server, scenario)


@pytest.mark.parametrize("output", [10, 200, 5000])
def test_hold_restated_holds_the_new_claim_and_keeps_its_creation(server: ThrowAwayStore, output: int) -> None:
    async def scenario(world: World) -> None:
        await take(world)
        world.clock.ms += 5000
        assert await world.holds.take(make_request(world.identity, "r1", output=output), NOW_MS) == Held(NOW_MS, output)
        assert await held_money(world) == worst_cost(PRICE, 100, output)

    run(server, scenario)


def test_hold_restated_after_a_month_boundary_stays_in_its_month(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world)
        world.clock.ms += 40 * 86_400_000
        assert await take(world, output=10) == Held(NOW_MS, 10)  # the caller forgot when it began: WINDOW tells
        assert await held_money(world) == worst_cost(PRICE, 100, 10)

    run(server, scenario)


def test_hold_restated_beyond_the_budget_is_refused_and_nothing_changes(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world)
        assert isinstance(await take(world, prompt=10**6), Refused)
        assert await held_money(world) == FULL

    run(server, scenario, FULL + 10)


def test_hold_restated_after_a_billed_attempt_claims_what_that_has_cost_on_top(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world)
        again = dataclasses.replace(make_request(world.identity, "r1"), spent_nano=FULL)
        assert await world.holds.take(again, NOW_MS) == Held(NOW_MS, 200)
        assert await held_money(world) == 2 * FULL
        too_much = dataclasses.replace(again, spent_nano=2 * FULL)
        assert isinstance(await world.holds.take(too_much, NOW_MS), Refused)

    run(server, scenario, 2 * FULL)


@pytest.mark.parametrize(
    ("budget", "granted"),
    [(FULL, 200), (FULL - 1, None), (LEAST, 50), (LEAST - 1, 0), (0, 0)],
)
def test_hold_on_a_small_budget_grants_what_fits(server: ThrowAwayStore, budget: int, granted: int | None) -> None:
    async def scenario(world: World) -> None:
        outcome = await take(world)
        if granted == 0:
            assert outcome == Refused("project", "money", "month", budget, 0, 0, 1_761_955_200, LEAST)
            assert await held_money(world) == 0
            return
        assert isinstance(outcome, Held)
        best = max(n for n in range(50, 201) if worst_cost(PRICE, 100, n) <= budget)
        assert outcome.max_tokens == best == (granted or best)
        assert await held_money(world) == worst_cost(PRICE, 100, best)

    run(server, scenario, budget)


def test_hold_of_several_choices_claims_all_of_them(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        assert await take(world, choices=3) == Held(NOW_MS, 200)
        assert await held_money(world) == worst_cost(PRICE, 100, 200, 3)

    run(server, scenario)


def test_hold_of_a_dear_model_near_the_largest_limit_is_exact(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        request = make_request(world.identity, "r1", prompt=131_071, output=131_072)
        request.price = Price("dear", 0, "s", 10**12 + 7, 10**12 + 9)
        assert await world.holds.take(request, None) == Held(NOW_MS, 131_072)
        assert await held_money(world) == worst_cost(request.price, 131_071, 131_072)

    run(server, scenario, LARGEST_LIMIT)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"spend_limit": None}, Stale),
        ({"archived_at": 5}, Revoked),
    ],
)
def test_hold_with_an_old_project_gets_the_fresh_one(
    server: ThrowAwayStore,
    change: dict[str, Any],
    expected: type,  # any field of a record
) -> None:
    async def scenario(world: World) -> None:
        project = replace(world.identity.project, version=2, **change)
        fresh = replace(world.identity, project=project)
        await write_identity(world.store, world.layout, fresh)
        outcome = await take(world)
        assert isinstance(outcome, expected)
        if isinstance(outcome, Stale):
            assert outcome.identity == fresh
        assert await held_money(world) == 0

    run(server, scenario)


def test_hold_with_a_removed_key_is_revoked(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await world.store.command("DEL", world.layout.key(world.identity.key_hash))
        assert await take(world) == Revoked()

    run(server, scenario)


def test_hold_with_a_key_that_expires_by_the_stores_clock_is_revoked(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        key = replace(world.identity.key, expires_at=NOW_MS // 1000 + 10)
        world.identity = replace(world.identity, key=key)
        await write_identity(world.store, world.layout, world.identity)
        assert isinstance(await take(world), Held)
        world.clock.ms += 10_000
        assert await take(world, "r2") == Revoked()

    run(server, scenario)


def test_hold_on_an_emptied_store_is_away_and_revokes_nobody(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await world.store.command("DEL", world.layout.shared("org"))
        with pytest.raises(StoreAway):
            await take(world)

    run(server, scenario)


def test_hold_that_reaches_the_store_late_takes_nothing(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        standing_arguments: list[Any] = [  # raw step arguments
            "r1", NOW_MS, NOW_MS - 1, 30_000, "", 1, 1, 1, "", 1, 100, 200, 50, 1, 1, b"", "p|k|m", b"", b"", 0,
        ]  # fmt: skip
        reply = await world.store.script("hold", world.places.hold(world.identity), standing_arguments)
        assert reply == [b"LATE", NOW_MS]
        assert await held_money(world) == 0

    run(server, scenario)


@pytest.mark.parametrize("is_expired", [False, True])
@pytest.mark.parametrize("is_held", [False, True])
def test_settle_any_state_books_exactly_what_was_used(server: ThrowAwayStore, is_held: bool, is_expired: bool) -> None:
    async def scenario(world: World) -> None:
        if is_held:
            await take(world)
        if is_expired:
            await let_expire(world)
        entry = settle_of(world)
        assert await world.settle(1, entry) == ["OK", 1]
        assert await world.settle(1, entry) == ["AGAIN", 1]
        assert await world.settle(2, entry) == ["OK", 2]  # a second receipt changes nothing
        assert (await held_money(world), await used_money(world)) == (0, entry.receipt.cost_nano)
        books = await read_books(world.store, world.layout)
        assert_books_agree(books)
        assert [row.end_reason for row in books.rows.values()] == ["stop"]
        assert not books.holds | books.expired | books.rowless
        with pytest.raises(StoreAway):  # settled before its hold came
            await take(world)
        assert await held_money(world) == 0

    run(server, scenario)


@pytest.mark.parametrize("is_held", [False, True])
def test_release_before_expiry_leaves_nothing(server: ThrowAwayStore, is_held: bool) -> None:
    async def scenario(world: World) -> None:
        if is_held:
            await take(world)
        assert await world.settle(1, release_of()) == ["OK", 1]
        books = await read_books(world.store, world.layout)
        assert (await held_money(world), await used_money(world), books.rows) == (0, 0, {})
        with pytest.raises(StoreAway):
            await take(world)

    run(server, scenario)


@pytest.mark.parametrize("is_row_written_first", [False, True])
def test_release_after_expiry_leaves_a_row_without_cost(server: ThrowAwayStore, is_row_written_first: bool) -> None:
    async def scenario(world: World) -> None:
        await take(world)
        if is_row_written_first:
            await let_expire(world)
        else:
            world.clock.ms += 31_000
            _, due, _ = await world.store.script("due", world.places.due(), [world.clock(), 10, 10**9])
            await world.store.pipeline([world.leases.expire_step(due[0])])
        assert await world.settle(1, release_of(created_ms=NOW_MS + 9)) == ["CREATED", NOW_MS]
        assert await world.settle(1, release_of()) == ["OK", 1]
        await world.leases.expire()
        books = await read_books(world.store, world.layout)
        assert_books_agree(books)
        assert [(row.end_reason, row.cost_nano) for row in books.rows.values()] == [("failed", 0)]
        assert await used_money(world) == 0

    run(server, scenario)


def test_expire_due_hold_books_its_estimate_and_writes_one_row(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world, choices=2)
        await world.leases.expire()
        assert await held_money(world) == worst_cost(PRICE, 100, 200, 2)  # not due yet
        await let_expire(world)
        await let_expire(world)
        books = await read_books(world.store, world.layout)
        assert_books_agree(books)
        (row,) = books.rows.values()
        assert (row.usage_source, row.end_reason, row.cost_nano) == (
            "estimated",
            "expired",
            worst_cost(PRICE, 100, 200, 2),
        )
        assert (row.prompt_tokens, row.completion_tokens, row.created_ms) == (200, 400, NOW_MS)
        assert await held_money(world) == 0
        assert world.leases.expired == 1
        with pytest.raises(StoreAway):
            await take(world)

    run(server, scenario)


def test_renew_live_hold_outlives_its_lease(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        request = make_request(world.identity, "r1")
        await world.holds.take(request, None)
        world.live["r1"] = LiveHold(request, NOW_MS)
        world.clock.ms += 29_000
        await world.leases.renew()
        world.clock.ms += 29_000
        await world.leases.expire()
        assert await held_money(world) == FULL

    run(server, scenario)


def test_renew_lost_hold_takes_it_again_at_its_own_time(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        world.live["r1"] = LiveHold(make_request(world.identity, "r1"), NOW_MS - 86_400_000)
        await world.leases.renew()
        assert await held_money(world) == FULL
        assert await world.settle(1, settle_of(world, created_ms=NOW_MS - 86_400_000)) == ["OK", 1]
        assert await held_money(world) == 0
        world.live["r1"] = LiveHold(make_request(world.identity, "r1"), NOW_MS)
        await world.leases.renew()  # settled meanwhile: not taken again
        assert await held_money(world) == 0

    run(server, scenario)


def test_settle_entry_out_of_order_is_a_gap_unless_older_ones_are_gone(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        assert await world.settle(3, settle_of(world, "r3")) == ["GAP", 0]
        assert await used_money(world) == 0
        assert await world.settle(3, settle_of(world, "r3"), oldest=True) == ["OK", 3]
        assert await world.settle(5, settle_of(world, "r5")) == ["GAP", 3]
        assert await world.settle(1, settle_of(world, "r1"), spool="spool-2") == ["OK", 1]

    run(server, scenario)


def test_settle_after_the_limit_changed_returns_what_was_held(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world)
        unlimited = replace(world.identity.project, version=2, spend_limit=None)
        world.identity = replace(world.identity, project=unlimited)
        await write_identity(world.store, world.layout, world.identity)
        await take(world, "r2")
        assert await held_money(world) == FULL
        await world.settle(1, settle_of(world))
        await world.settle(2, settle_of(world, "r2"))
        assert await held_money(world) == 0

    run(server, scenario)


def test_settle_many_leaves_old_tombstones_to_the_sweep(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        entries: list[Entry] = [release_of(f"r{n}") for n in range(1, 33)]
        for number, entry in enumerate(entries[:31], 1):
            await world.settle(number, entry)
        world.clock.ms += 61_000
        await world.settle(32, entries[31])
        assert await world.store.command("ZCARD", world.layout.shared("tombstones")) == 1
        world.clock.ms += 61_000
        await world.leases.expire()
        assert await world.store.command("ZCARD", world.layout.shared("tombstones")) == 0

    run(server, scenario)


def test_due_expired_holds_are_forgotten_after_a_week(server: ThrowAwayStore) -> None:
    async def scenario(world: World) -> None:
        await take(world)
        await let_expire(world)
        assert (await read_books(world.store, world.layout)).expired == {"r1"}
        world.clock.ms += 8 * 86_400_000
        await world.leases.expire()
        assert not (await read_books(world.store, world.layout)).expired

    run(server, scenario)
