"""Forwarding: in order, from memory or from disk, again after a loss, and honest about what is gone."""

import asyncio
from pathlib import Path

from support.ledgers import NOW_MS, World, assert_books_agree, make_receipt, make_request, open_world, read_books
from support.valkey import ThrowAwayStore

from gateway.ledger import forwarder as forwarding
from gateway.ledger.entries import Entry, Release, Settle, encode_entry
from gateway.ledger.forwarder import Forwarder
from gateway.ledger.spool import Spool, create_spool


def fill(world: World, spool: Spool, count: int, first: int = 1) -> list[Entry]:
    entries: list[Entry] = [
        Settle(make_receipt(make_request(world.identity, f"r{number}"), NOW_MS + number))
        for number in range(first, first + count)
    ]
    for entry in entries:
        spool.append(encode_entry(entry))
    return entries


def make_forwarder(world: World, spool: Spool) -> Forwarder:
    return Forwarder(world.store, world.places, spool, lambda: str(world.clock()))


def test_advance_more_than_memory_keeps_goes_on_from_disk(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            spool = create_spool(tmp_path)
            forwarder = make_forwarder(world, spool)
            count = forwarding.RECENT + 300
            for number, entry in enumerate(fill(world, spool, count), 1):
                if number > 100:  # as if the first hundred had been written before this process knew of them
                    forwarder.offer(number, entry)
            await forwarder.advance()
            assert (forwarder.pending, spool.confirmed) == (0, count)
            assert await world.store.command("ZCARD", world.layout.rows()) == count
            for number, entry in enumerate(fill(world, spool, 3, count + 1), count + 1):
                forwarder.offer(number, entry)
            await forwarder.advance()
            assert_books_agree(await read_books(world.store, world.layout))
            spool.close()

    asyncio.run(play())


def test_recover_store_that_forgot_gets_everything_again_once(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            spool = create_spool(tmp_path)
            forwarder = make_forwarder(world, spool)
            fill(world, spool, 10)
            await forwarder.advance()
            await forwarder.recover()
            assert forwarder.pending == 0
            await world.store.command("HSET", world.places.applied, spool.name, 7)  # an older store
            await forwarder.recover()
            assert (forwarder.pending, forwarder.lost) == (3, 0)
            await forwarder.advance()
            assert_books_agree(await read_books(world.store, world.layout))
            spool.close()

    asyncio.run(play())


def test_advance_into_a_store_that_forgot_unnoticed_goes_back_by_itself(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            spool = create_spool(tmp_path)
            forwarder = make_forwarder(world, spool)
            fill(world, spool, 4)
            await forwarder.advance()
            await world.store.command("HSET", world.places.applied, spool.name, 2)
            fill(world, spool, 1, 5)
            await forwarder.advance()  # answered with GAP
            books = await read_books(world.store, world.layout)
            assert_books_agree(books)
            assert (len(books.rows), forwarder.pending) == (5, 0)
            spool.close()

    asyncio.run(play())


def test_recover_beyond_what_is_kept_counts_the_loss_and_goes_on(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            spool = create_spool(tmp_path, world.clock.seconds, segment_bytes=2000)
            forwarder = make_forwarder(world, spool)
            fill(world, spool, 30)
            await forwarder.advance()
            spool.trim(world.clock.seconds() + 1000)
            assert spool.first > 5
            await world.store.command("HDEL", world.places.applied, spool.name)
            await forwarder.recover()
            assert forwarder.lost == spool.first - 1
            await forwarder.advance()
            assert int(await world.store.command("HGET", world.places.applied, spool.name)) == 30
            spool.close()

    asyncio.run(play())


def test_advance_receipt_with_another_creation_time_follows_its_hold(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            for name in ("r1", "r2"):
                await world.holds.take(make_request(world.identity, name), None)
            world.clock.ms += 31_000
            await world.leases.expire()
            spool = create_spool(tmp_path)
            forwarder = make_forwarder(world, spool)
            wrong = NOW_MS - 7_200_000
            entries: tuple[Entry, ...] = (
                Settle(make_receipt(make_request(world.identity, "r1"), wrong)),
                Release("r2", wrong, "proj_1", "key_1"),
            )
            for entry in entries:
                forwarder.offer(spool.append(encode_entry(entry)), entry)
            await forwarder.advance()
            await world.leases.expire()
            books = await read_books(world.store, world.layout)
            assert_books_agree(books)
            assert {name: (row.created_ms, row.end_reason) for name, row in books.rows.items()} == {
                "r1": (NOW_MS, "stop"),
                "r2": (NOW_MS, "failed"),
            }
            spool.close()

    asyncio.run(play())
