"""What is written of a store, what is left out, and when nothing is written. How it comes back: test_restore.py."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from support.ledgers import fresh_layout, make_identity, write_identity
from support.valkey import ThrowAwayStore

from gateway.backup.archive import Writer, read_entries, written_whole
from gateway.backup.dump import CannotDump, begin, dump
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore


def play(server: ThrowAwayStore, scenario: Callable[[RedisStore, Layout], Awaitable[None]]) -> None:
    async def run() -> None:
        layout = fresh_layout()
        store = RedisStore(server.url, layout)
        try:
            await scenario(store, layout)
        finally:
            await store.close()

    asyncio.run(run())


async def save(store: RedisStore, layout: Layout, path: Path) -> list[str]:
    """Write a backup; what progress was told."""
    told: list[str] = []
    header = await begin(store, layout)
    with written_whole(path) as file:
        writer = Writer(file, header)
        await dump(store, layout, writer, lambda more, what: told.append(what))
        writer.end()
    return told


def test_begin_on_an_empty_store_is_refused(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        with pytest.raises(CannotDump, match="no gateway's data"):
            await begin(store, layout)

    play(server, scenario)


def test_dump_leaves_out_what_means_nothing_elsewhere(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        await store.bind_instance(None)
        await write_identity(store, layout, make_identity())
        counters = ("u:money:total", 7, "h:money:total", 5, "r:requests:minute", msgspec.msgpack.encode([9, 3, 2]))
        await store.command("HSET", layout.shared("spent", "o"), *counters)
        await store.command("HSET", layout.shared("holds"), "req_1", "x")
        await store.command("ZADD", layout.shared("leases"), 5, "req_1")
        await store.command("SET", layout.shared("session", "abc"), "x")
        await store.command("HSET", layout.shared("govern", "model"), "worker", "x")
        await store.command("HSET", layout.shared("applied"), "spool", 3)
        assert set(await save(store, layout, tmp_path / "backup")) == {"records and counters"}
        found = {entry.name: entry.parts for entry in read_entries(tmp_path / "backup")}
        assert set(found) == {"org", "project:proj_1", "key:hash-of-key_1", "spent:o", "applied"}
        fields = dict(zip(found["spent:o"][::2], found["spent:o"][1::2], strict=True))
        assert fields == {b"u:money:total": b"7", b"r:requests:minute": msgspec.msgpack.encode([9, 3, 0])}

    play(server, scenario)


def test_dump_while_rows_are_trimmed_is_refused_and_gives_the_lease_back(
    server: ThrowAwayStore, tmp_path: Path
) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        await store.bind_instance(None)
        state = ("HSET", layout.shared("opening_state"), "cut", 5, "rows", 1, "first", 0, "version", 2)
        await store.command(*state, "pending", msgspec.json.encode(["r0"]))
        with pytest.raises(CannotDump, match="trimmed"):
            await save(store, layout, tmp_path / "backup")
        assert not (tmp_path / "backup").exists()
        assert await store.command("EXISTS", layout.shared("verification_lease")) == 0

    play(server, scenario)


def test_dump_under_a_prefix_with_signs_of_a_pattern_finds_its_own_keys(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        odd = Layout(prefix="a[b]*:")
        other = RedisStore(server.url, odd)
        await other.bind_instance(None)
        await write_identity(other, odd, make_identity())
        await save(other, odd, tmp_path / "backup")
        await other.close()
        assert len(list(read_entries(tmp_path / "backup"))) == 3

    play(server, scenario)
