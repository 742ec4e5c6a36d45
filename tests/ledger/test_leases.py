"""Expiry in bulk and the rows it owes; what one expiry does to the books: tests/lua."""

import asyncio

from support.ledgers import NOW_MS, assert_books_agree, make_request, open_world, read_books
from support.valkey import ThrowAwayStore

from gateway.ledger.leases import PORTION, LiveHold, expired_row, released_row, seconds_until_renewal


def test_expire_more_than_a_portion_ends_all_with_rows(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url, 10**12) as world:
            names = [f"r{number}" for number in range(2 * PORTION + 5)]
            await asyncio.gather(*(world.holds.take(make_request(world.identity, name), None) for name in names))
            world.clock.ms += 30_000
            await asyncio.gather(world.leases.expire(), world.leases.expire())
            books = await read_books(world.store, world.layout)
            assert_books_agree(books)
            assert (set(books.rows), books.holds, books.rowless) == (set(names), set(), set())
            assert world.leases.expired == len(names)

    asyncio.run(play())


def test_renew_hold_released_in_the_same_moment_is_left_alone(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            world.live["r1"] = LiveHold(make_request(world.identity, "r1"), NOW_MS)
            renewing = asyncio.ensure_future(world.leases.renew())
            await asyncio.sleep(0)
            world.live.clear()
            await renewing
            assert (await read_books(world.store, world.layout)).holds == set()

    asyncio.run(play())


def test_expired_and_released_row_carry_what_the_hold_said(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            request = make_request(world.identity, "r1", choices=2)
            request.stream, request.upstream, request.reason = True, "workers_ai", "cheapest"
            await world.holds.take(request, None)
            _, (fact,), _ = await world.store.script("due", world.places.due(), [NOW_MS + 30_000, 10, 10**9])
            row = expired_row(fact)
            assert (row.id, row.stream, row.upstream, row.reason, row.status) == (
                "r1",
                True,
                "workers_ai",
                "cheapest",
                0,
            )
            assert (row.tags, row.neurons_source) == (request.tags, "computed")
            assert row.neurons_nano == 2 * (100 * 13_778_000 + 200 * 26_128_000)
            (attempt,) = row.attempts
            assert (attempt.price_id, attempt.cost_nano) == ("p1", row.cost_nano)
            free = released_row(fact)
            assert (free.neurons_nano, free.neurons_source) == (None, "reported")
            assert (free.cost_nano, free.prompt_tokens, free.attempts, free.end_reason) == (0, 0, [], "failed")

    asyncio.run(play())


def test_seconds_until_renewal_leaves_time_for_two_more() -> None:
    assert seconds_until_renewal(30_000) == 10.0
