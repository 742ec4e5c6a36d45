"""One worker's ledger against a real store: nothing overspent, lost or doubled, whoever dies or stops answering."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from support.ledgers import (
    NOW_MS,
    PRICE,
    ROLLUP_TAGS,
    Clock,
    assert_books_agree,
    fresh_layout,
    make_identity,
    make_receipt,
    make_request,
    read_books,
    write_identity,
)
from support.valkey import ThrowAwayStore, throw_away_store

from gateway.core.errors import StoreAway
from gateway.core.pricing import worst_cost
from gateway.core.records import Limit
from gateway.ledger.contract import Held, Refused
from gateway.ledger.entries import Release, decode_entry
from gateway.ledger.service import Fsync, LedgerOptions, StoreLedger
from gateway.ledger.spool import adopt_spools
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

COST = worst_cost(PRICE, 100, 200)


@asynccontextmanager
async def open_ledger(
    url: str, layout: Layout, root: Path, clock: Clock | None = None, fsync: Fsync = "never"
) -> AsyncIterator[tuple[RedisStore, StoreLedger]]:
    """A ledger without its tasks: the test calls what they call, or starts them."""
    store = RedisStore(url, layout, deadline_seconds=0.5)
    seconds = (clock or Clock()).seconds
    ledger = StoreLedger(store, layout, root, clock=seconds, store_now=clock, options=LedgerOptions(fsync, ROLLUP_TAGS))
    try:
        yield store, ledger
    finally:
        await ledger.close()
        await store.close()


def soon(seconds: float = 10.0) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize("fsync", ["never", "interval", "always"])
def test_settle_reaches_the_store_with_its_row(server: ThrowAwayStore, tmp_path: Path, fsync: Fsync) -> None:
    async def play() -> None:
        layout, identity = fresh_layout(), make_identity(10**9)
        async with open_ledger(server.url, layout, tmp_path, fsync=fsync) as (store, ledger):
            await write_identity(store, layout, identity)
            await ledger.start()
            request = make_request(identity, "r1")
            held = await ledger.hold(request)
            assert isinstance(held, Held)
            assert ledger.has_room()
            ledger.settle(make_receipt(request, held.created_ms))
            await ledger.hold(make_request(identity, "r2"))
            ledger.release("r2", identity)
            assert await ledger.drain(soon())
            books = await read_books(store, layout)
            assert_books_agree(books)
            assert (set(books.rows), books.holds, ledger.live, ledger.lost) == ({"r1"}, set(), {}, 0)

    asyncio.run(play())


def test_hold_storm_on_money_for_ten_never_overspends(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        layout, identity = fresh_layout(), make_identity(10 * COST)
        async with (
            open_ledger(server.url, layout, tmp_path / "a") as (store, first),
            open_ledger(server.url, layout, tmp_path / "b") as (_, second),
        ):
            await write_identity(store, layout, identity)
            requests = [make_request(identity, f"r{number}") for number in range(64)]
            for request in requests:
                request.min_tokens = request.max_tokens
            outcomes = await asyncio.gather(
                *((first, second)[number % 2].hold(request) for number, request in enumerate(requests))
            )
            assert sum(isinstance(outcome, Held) for outcome in outcomes) == 10
            assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 54
            for number, (request, outcome) in enumerate(zip(requests, outcomes, strict=True)):
                if isinstance(outcome, Held):
                    (first, second)[number % 2].settle(make_receipt(request, outcome.created_ms, 100, 200))
            assert await first.drain(soon())
            assert await second.drain(soon())
            books = await read_books(store, layout)
            assert_books_agree(books)
            assert sum(row.cost_nano for row in books.rows.values()) <= 10 * COST
            assert not books.holds

    asyncio.run(play())


def test_maintain_expires_the_holds_of_a_dead_worker_and_adopts_its_spool(
    server: ThrowAwayStore, tmp_path: Path
) -> None:
    async def play() -> None:
        layout, identity, clock = fresh_layout(), make_identity(10**9), Clock()
        async with open_ledger(server.url, layout, tmp_path, clock) as (store, dead):
            await write_identity(store, layout, identity)
            await dead.hold(make_request(identity, "answered"))
            await dead.hold(make_request(identity, "in flight"))
            dead.settle(make_receipt(make_request(identity, "answered"), NOW_MS))
        clock.ms += 31_000
        async with open_ledger(server.url, layout, tmp_path, clock) as (store, alive):
            await alive.maintain()
            books = await read_books(store, layout)
            assert_books_agree(books)
            ends = {name: row.end_reason for name, row in books.rows.items()}
            assert ends == {"answered": "stop", "in flight": "expired"}
            assert (alive.pending, alive.expired) == (0, 2)
            assert len(os.listdir(tmp_path)) == 2  # kept, in case the store goes back
            await alive.maintain(retention=-(10**9))
            assert len(os.listdir(tmp_path)) == 1
            assert await store.command("HLEN", layout.shared("applied")) == 0

    asyncio.run(play())


@pytest.mark.parametrize(
    ("limit", "is_freed"), [(Limit("concurrency", 1, "now"), True), (Limit("requests", 1, "minute"), False)]
)
def test_hold_in_the_way_of_which_only_a_spooled_receipt_is_brings_it_first(
    server: ThrowAwayStore, tmp_path: Path, limit: Limit, is_freed: bool
) -> None:
    async def play() -> None:
        layout, identity = fresh_layout(), make_identity(limits=(limit,))
        async with open_ledger(server.url, layout, tmp_path) as (store, ledger):
            await write_identity(store, layout, identity)
            request = make_request(identity, "r1")
            held = await ledger.hold(request)
            assert isinstance(held, Held)
            assert isinstance(await ledger.hold(make_request(identity, "r2")), Refused)
            ledger.settle(make_receipt(request, held.created_ms))
            assert isinstance(await ledger.hold(make_request(identity, "r2")), Held) is is_freed
            assert ledger.pending == (0 if is_freed else 1)

    asyncio.run(play())


def test_hold_renewed_across_its_lease_is_not_expired_by_others(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        layout, identity, clock = fresh_layout(), make_identity(10**9), Clock()
        async with open_ledger(server.url, layout, tmp_path, clock) as (store, ledger):
            await write_identity(store, layout, identity)
            await ledger.hold(make_request(identity, "r1"))
            for _ in range(4):
                clock.ms += 20_000
                await ledger.maintain()
            assert (await read_books(store, layout)).holds == {"r1"}

    asyncio.run(play())


def test_hold_with_a_frozen_store_fails_in_time_and_leaks_nothing(tmp_path: Path) -> None:
    async def play(server: ThrowAwayStore) -> None:
        layout, identity = fresh_layout(), make_identity(10**9)
        async with open_ledger(server.url, layout, tmp_path) as (store, ledger):
            await write_identity(store, layout, identity)
            await ledger.hold(make_request(identity, "before"))
            server.freeze()
            try:
                with pytest.raises(StoreAway):
                    await ledger.hold(make_request(identity, "late"))
                ledger.settle(make_receipt(make_request(identity, "before"), NOW_MS))  # the client has its answer
                assert ledger.pending == 2
                assert not await ledger.drain(soon(0.1))
            finally:
                server.thaw()
            assert await ledger.drain(soon()) or await ledger.drain(soon())
            books = await read_books(store, layout)
            assert (books.holds, set(books.rows)) == (set(), {"before"})
            assert sum(books.held["p:proj_1"].values()) == 0

    with throw_away_store() as server:
        asyncio.run(play(server))


def test_hold_cancelled_by_its_client_is_given_back(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        layout, identity = fresh_layout(), make_identity(10**9)
        async with open_ledger(server.url, layout, tmp_path) as (store, ledger):
            await write_identity(store, layout, identity)
            await ledger.hold(make_request(identity, "first"))
            task = asyncio.ensure_future(ledger.hold(make_request(identity, "r1")))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ledger.drain(soon())
            assert (await read_books(store, layout)).holds == {"first"}

    asyncio.run(play())


def test_store_gone_back_in_time_is_replayed_and_live_holds_restated(tmp_path: Path) -> None:
    async def play(server: ThrowAwayStore) -> None:
        layout, identity = fresh_layout(), make_identity(10**9)
        async with open_ledger(server.url, layout, tmp_path / "spool") as (store, ledger):
            await store.bind_instance(None)
            await write_identity(store, layout, identity)
            await settle_one(ledger, "old")
            await store.command("CONFIG", "SET", "appendfsync", "always")
            shutil.copytree(server.folder / "appendonlydir", tmp_path / "backup")
            await settle_one(ledger, "new")
            live = await ledger.hold(make_request(identity, "live"))
            server.kill()
            shutil.rmtree(server.folder / "appendonlydir")
            shutil.copytree(tmp_path / "backup", server.folder / "appendonlydir")
            server.start()
            held = await hold_when_back(ledger)
            assert isinstance(live, Held)
            books = await read_books(store, layout)
            assert_books_agree(books)
            assert (set(books.rows), books.holds, ledger.lost) == ({"old", "new"}, {"live", held}, 0)
            ledger.settle(make_receipt(make_request(identity, "live"), live.created_ms))
            assert await ledger.drain(soon())
            assert_books_agree(await read_books(store, layout))

    with throw_away_store() as server:
        asyncio.run(play(server))


def test_store_emptied_under_a_living_connection_is_away(tmp_path: Path) -> None:
    async def play(server: ThrowAwayStore) -> None:
        layout, identity = fresh_layout(), make_identity(10**9)
        async with open_ledger(server.url, layout, tmp_path) as (store, ledger):
            await store.bind_instance(None)
            await write_identity(store, layout, identity)
            await settle_one(ledger, "r1")
            await store.command("FLUSHALL")
            for name in ("r2", "r3"):
                with pytest.raises(StoreAway):
                    await ledger.hold(make_request(identity, name))
            ledger.settle(make_receipt(make_request(identity, "r4"), NOW_MS))
            assert not await ledger.drain(soon(1.0))
            assert ledger.pending >= 1

    with throw_away_store() as server:
        asyncio.run(play(server))


async def settle_one(ledger: StoreLedger, name: str) -> None:
    request = make_request(make_identity(10**9), name)
    held = await ledger.hold(request)
    assert isinstance(held, Held)
    ledger.settle(make_receipt(request, held.created_ms))
    assert await ledger.drain(soon())


async def hold_when_back(ledger: StoreLedger) -> str:
    """What a client does: a new request after every 503. Answers the name of the one that was held."""
    for number in count():
        name = f"next-{number}"
        with contextlib.suppress(StoreAway):
            assert isinstance(await ledger.hold(make_request(make_identity(10**9), name)), Held)
            return name
        await asyncio.sleep(0.02)
    raise AssertionError("count() does not end")


CHILD = """
import asyncio, sys
from pathlib import Path
from gateway.ledger.contract import Held
from gateway.ledger.service import LedgerOptions, StoreLedger
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore
from support.ledgers import ROLLUP_TAGS, make_identity, make_receipt, make_request

async def main(url, prefix, root):
    layout, identity = Layout(prefix=prefix), make_identity(10**12)
    ledger = StoreLedger(RedisStore(url, layout), layout, Path(root), options=LedgerOptions(rollup_tags=ROLLUP_TAGS))
    await ledger.start()

    async def worker(name):
        for number in range(100000):
            request = make_request(identity, f"{name}-{number}")
            held = await ledger.hold(request)
            assert isinstance(held, Held)
            ledger.settle(make_receipt(request, held.created_ms))
            print(request.id, flush=True)

    await asyncio.gather(*(worker(f"w{number}") for number in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("answered", [1, 37, 400])
def test_kill_9_after_any_answer_leaves_every_answered_request_exactly_once(
    server: ThrowAwayStore, tmp_path: Path, answered: int
) -> None:
    async def play() -> None:
        layout, identity = fresh_layout(), make_identity(10**12)
        store = RedisStore(server.url, layout)
        await write_identity(store, layout, identity)
        await store.close()
        names = kill_after(answered, layout)
        later = Clock(10**13)  # long after every lease
        async with open_ledger(server.url, layout, tmp_path, later) as (store, ledger):
            await ledger.maintain()
            books = await read_books(store, layout)
            assert_books_agree(books)
            settled = {name for name, row in books.rows.items() if row.end_reason == "stop"}
            assert set(names) <= settled
            assert not books.holds
            assert len(books.rows) - len(names) <= 16  # in flight, or settled without having been reported

    def kill_after(count: int, layout: Layout) -> list[str]:
        paths = os.pathsep.join(str(path) for path in (Path(__file__).parents[2], Path(__file__).parents[1]))
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, server.url, layout.prefix, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert child.stdout is not None
        with child.stdout as output:
            names = [output.readline().strip() for _ in range(count)]
            os.kill(child.pid, signal.SIGKILL)
            names += [line.strip() for line in output if line.endswith("\n")]
        child.wait()
        return names

    asyncio.run(play())


def test_release_of_an_unanswered_hold_is_spooled(tmp_path: Path) -> None:
    async def play() -> None:
        layout, identity = fresh_layout(), make_identity()
        async with open_ledger("unix:///nowhere/at/all", layout, tmp_path) as (_, ledger):
            with pytest.raises(StoreAway):
                await ledger.hold(make_request(identity, "r1"))
            assert ledger.pending == 0  # it was never sent, so there is nothing to give back
            ledger.release("r2", identity)
            assert ledger.pending == 1
        ((_, payload),) = [entry for spool in adopt_spools(tmp_path) for entry in spool.read(1)]
        entry = decode_entry(payload)
        assert isinstance(entry, Release)
        assert entry.id == "r2"

    asyncio.run(play())
