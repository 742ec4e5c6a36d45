"""Portions of a real store's rows and fields."""

import asyncio

import pytest
from support.ledgers import MODEL, NOW_MS, fresh_layout, make_identity, make_receipt, make_request
from support.valkey import ThrowAwayStore

from gateway.ledger.audit.reading import portions, read_hash, read_together, walk_rows
from gateway.ledger.row_writing import row_commands
from gateway.store.redis_store import RedisStore


@pytest.mark.parametrize("spread_ms", [0, 1, 7])
def test_walk_rows_finds_each_once_oldest_first(server: ThrowAwayStore, spread_ms: int) -> None:
    async def play() -> None:
        layout, identity = fresh_layout(), make_identity()
        store = RedisStore(server.url, layout)
        rows = [
            make_receipt(make_request(identity, f"r{number:04d}"), NOW_MS + number // 150 * spread_ms)
            for number in range(420)
        ]
        await store.pipeline(row_commands(layout, rows))
        await store.command("DEL", layout.row("r0007"))
        found = [entry async for part in walk_rows(store, layout, NOW_MS, NOW_MS + 10_000) for entry in part]
        assert [entry.id for entry in found] == [row.id for row in rows]
        assert [entry.id for entry in found if entry.row is None] == ["r0007"]
        assert found[0].row is not None
        assert found[0].row.model == MODEL
        await store.close()

    asyncio.run(play())


def test_read_together_answers_in_order_with_gaps(server: ThrowAwayStore) -> None:
    async def play() -> None:
        layout = fresh_layout()
        store = RedisStore(server.url, layout)
        one, two = layout.shared("one"), layout.shared("two")
        await store.pipeline([("HSET", one, "a", 1), ("HSET", two, "b", 2)])
        assert await read_together(store, [(one, "x"), (two, "b"), (one, "a"), (two, "a")]) == [None, b"2", b"1", None]
        assert await read_hash(store, two) == {"b": b"2"}
        await store.close()

    asyncio.run(play())


def test_portions_never_exceed_the_size_unless_alone() -> None:
    assert portions([("a", 3), ("b", 3), ("c", 9), ("d", 1), ("e", 4)], 6) == [["a", "b"], ["c"], ["d", "e"]]
    assert portions([], 6) == []
