"""A store with everything in it, dumped and brought back into an empty one: nothing lost, nothing doubled."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.ledgers import (
    Clock,
    assert_books_agree,
    fresh_layout,
    make_identity,
    make_receipt,
    make_request,
    read_books,
    write_identity,
)
from support.valkey import ThrowAwayStore

from gateway.backup.archive import Header, Writer, read_header, written_whole
from gateway.backup.dump import begin, dump
from gateway.backup.restore import CannotRestore, examine, owner_of, restore
from gateway.core.errors import StoreAway
from gateway.core.records import Identity, Limit
from gateway.keys import load_identity
from gateway.ledger.contract import Held
from gateway.ledger.service import StoreLedger
from gateway.store.contract import Argument, Reply
from gateway.store.layout import Layout
from gateway.store.redis_store import RECONNECT_SECONDS, SCHEMA, RedisStore

LIMITS = (Limit("requests", 50, "minute"), Limit("tokens", 10**6, "day"), Limit("concurrency", 20, "now"))


def nothing(more: int, what: str) -> None:
    """Progress that nobody watches."""


Scenario = Callable[[RedisStore, Layout, StoreLedger, Identity], Awaitable[None]]


def play(server: ThrowAwayStore, root: Path, scenario: Scenario, clock: Clock | None = None) -> None:
    async def run() -> None:
        layout = fresh_layout()
        identity = make_identity(10**12, limits=LIMITS)
        store = RedisStore(server.url, layout, deadline_seconds=10.0)
        seconds = (clock or Clock()).seconds
        ledger = StoreLedger(store, layout, root / "spool", clock=seconds, store_now=clock)
        try:
            await store.bind_instance(None)
            await write_identity(store, layout, identity)
            await scenario(store, layout, ledger, identity)
        finally:
            await ledger.close()
            await store.close()

    asyncio.run(run())


async def settle(ledger: StoreLedger, identity: Identity, name: str) -> None:
    request = make_request(identity, name)
    held = await ledger.hold(request)
    assert isinstance(held, Held)
    ledger.settle(make_receipt(request, held.created_ms))
    assert await ledger.drain(asyncio.get_running_loop().time() + 60)


async def save(store: RedisStore, layout: Layout, path: Path) -> Header:
    header = await begin(store, layout)
    with written_whole(path) as file:
        writer = Writer(file, header)
        await dump(store, layout, writer, nothing)
        writer.end()
    return header


async def wipe(store: RedisStore, layout: Layout) -> None:
    names = await store.command("KEYS", layout.prefix + "*")
    await store.command("DEL", *names)


def test_wiped_store_comes_back_with_keys_limits_counters_and_rows(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def scenario(store: RedisStore, layout: Layout, ledger: StoreLedger, identity: Identity) -> None:
        for number in range(5):
            await settle(ledger, identity, f"r{number}")
        await ledger.hold(make_request(identity, "in flight"))
        await store.command("XADD", layout.shared("audit"), "*", "event", b"\x00")
        await store.command("SET", layout.shared("session", "abc"), "x", "EX", 1000)
        before = await read_books(store, layout)
        header = await save(store, layout, tmp_path / "backup")
        await wipe(store, layout)
        with pytest.raises(StoreAway, match="an empty store"):
            await store.bind_instance(header.instance)
        fresh = RedisStore(server.url, layout)
        assert await owner_of(fresh, layout) is None
        done = await restore(fresh, layout, tmp_path / "backup", nothing)
        assert (done.repaired, done.findings, done.header) == (0, 0, header)
        assert await owner_of(fresh, layout) == header.instance
        await fresh.close()
        await asyncio.sleep(RECONNECT_SECONDS)  # calls fail at once for so long
        assert await store.bind_instance(header.instance) == header.instance  # the same connection object goes on
        assert await load_identity(store, layout, identity.key_hash) == identity
        after = await read_books(store, layout)
        assert_books_agree(after)
        assert (after.rows, after.used, after.rollups) == (before.rows, before.used, before.rollups)
        assert (after.holds, sum(sum(held.values()) for held in after.held.values())) == (set(), 0)
        rolling = after.rolling["k:key_1"]["requests:minute"]
        assert (sum(rolling[1::3]), sum(rolling[2::3])) == (5, 0)  # what is used counts on, what was held does not
        assert await store.command("XLEN", layout.shared("audit")) == 1
        assert await store.command("EXISTS", layout.shared("session", "abc")) == 0
        await ledger.maintain()  # takes its live hold again
        assert (await read_books(store, layout)).holds == {"in flight"}

    play(server, tmp_path, scenario)


def test_receipts_after_the_backup_are_replayed_from_the_spool_once(server: ThrowAwayStore, tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(store: RedisStore, layout: Layout, ledger: StoreLedger, identity: Identity) -> None:
        await settle(ledger, identity, "before")
        await save(store, layout, tmp_path / "backup")
        await settle(ledger, identity, "after")
        await wipe(store, layout)
        other = RedisStore(server.url, layout)
        await restore(other, layout, tmp_path / "backup", nothing)
        await other.close()
        store.suspect()
        for _ in range(2):  # the first one finds the connection new
            await ledger.maintain()
        books = await read_books(store, layout)
        assert_books_agree(books)
        assert set(books.rows) == {"before", "after"}

    play(server, tmp_path, scenario, clock)


class Interrupted(RedisStore):
    """A store in which something happens right after the first portion of the rows' index was read."""

    meanwhile: Callable[[], Awaitable[None]] | None = None
    later: Callable[[], Awaitable[None]] | None = None  # right after the spools' positions were

    async def command(self, *arguments: Argument) -> Reply:
        reply = await super().command(*arguments)
        if arguments[0] == "ZRANGEBYSCORE" and self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return reply

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        replies = await super().pipeline(commands)
        asked = commands[0][:2] if commands else ()
        if self.later is not None and asked[:1] == ("HSCAN",) and str(asked[1]).endswith("applied"):
            happens, self.later = self.later, None
            await happens()
        return replies


def test_rows_written_while_the_backup_is_made_are_in_it_and_the_sums_follow(
    server: ThrowAwayStore, tmp_path: Path
) -> None:
    async def scenario(store: RedisStore, layout: Layout, ledger: StoreLedger, identity: Identity) -> None:
        old = make_request(identity, "began before the others")
        held = await ledger.hold(old)
        assert isinstance(held, Held)
        await asyncio.sleep(0.01)
        for number in range(3):
            await settle(ledger, identity, f"r{number}")

        async def meanwhile() -> None:
            ledger.settle(make_receipt(old, held.created_ms))
            await settle(ledger, identity, "began meanwhile")

        async def later() -> None:
            await settle(ledger, identity, "after the positions")

        reading = Interrupted(server.url, layout)
        reading.meanwhile, reading.later = meanwhile, later
        await save(reading, layout, tmp_path / "backup")
        await wipe(store, layout)
        done = await restore(reading, layout, tmp_path / "backup", nothing)
        await reading.close()
        assert done.repaired > 0
        assert done.findings == 0
        books = await read_books(store, layout)
        assert_books_agree(books)
        assert set(books.rows) == {
            "r0",
            "r1",
            "r2",
            "began before the others",
            "began meanwhile",
            "after the positions",
        }
        store.suspect()
        for _ in range(2):
            await ledger.maintain()  # sends again what is past the positions: it is there already
        assert_books_agree(await read_books(store, layout))

    play(server, tmp_path, scenario)


async def look(store: RedisStore, layout: Layout) -> list[Reply]:
    """A large hash and a long stream."""
    return [
        sorted(await store.command("HGETALL", layout.shared("key_hashes"))),
        await store.command("XRANGE", layout.shared("audit"), "-", "+"),
    ]


def test_many_keys_and_large_hashes_come_back(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def scenario(store: RedisStore, layout: Layout, ledger: StoreLedger, identity: Identity) -> None:
        fields = [part for number in range(5000) for part in (f"key_{number}", f"hash{number}")]
        await store.command("HSET", layout.shared("key_hashes"), *fields)
        members = [part for number in range(3000) for part in (str(int(time.time()) + number), f"p{number}")]
        await store.command("ZADD", layout.shared("projects"), *members)
        await store.pipeline([("HSET", layout.key(f"h{number}"), "v", "1") for number in range(3000)])
        await store.pipeline([("XADD", layout.shared("audit"), f"{n}-1", "n", n) for n in range(1, 2502)])
        before = await look(store, layout)
        await save(store, layout, tmp_path / "backup")
        await restore(store, layout, tmp_path / "backup", nothing)
        assert await look(store, layout) == before
        assert await store.command("ZCARD", layout.shared("projects")) == 3000
        assert len(await store.command("KEYS", layout.key("h*"))) == 3001

    play(server, tmp_path, scenario)


def test_backup_of_a_newer_schema_or_a_broken_one_is_not_restored(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def scenario(store: RedisStore, layout: Layout, ledger: StoreLedger, identity: Identity) -> None:
        path = tmp_path / "backup"
        header = await save(store, layout, path)
        with written_whole(path) as file:
            Writer(file, replace(header, schema=SCHEMA + 1)).end()
        assert read_header(path).schema == SCHEMA + 1
        with pytest.raises(CannotRestore, match=f"schema {SCHEMA + 1}"):
            examine(path)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(CannotRestore, match="not used"):
            await restore(store, layout, path, nothing)
        with pytest.raises(CannotRestore, match="cannot be read"):
            examine(tmp_path / "none")
        assert await load_identity(store, layout, identity.key_hash) == identity  # nothing was touched

    play(server, tmp_path, scenario)
