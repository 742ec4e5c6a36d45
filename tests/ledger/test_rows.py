"""Listing rows: newest first, by any filter, page by page, equal to a plain sort."""

import asyncio
import random
from itertools import product

import pytest
from msgspec.structs import replace
from support.ledgers import NOW_MS, World, make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.core.receipt import Receipt
from gateway.ledger.row_writing import row_commands
from gateway.ledger.rows import RowFilter, get_row, iterate_rows, list_rows

FILTERS = [
    RowFilter(),
    RowFilter(project_ids=("p0",)),
    RowFilter(project_ids=("p0", "p1", "p0", "nobody")),
    RowFilter(api_key_ids=("k0", "k3")),
    RowFilter(project_ids=("p1",), api_key_ids=("k0", "k1")),
    RowFilter(models=("m1",)),
    RowFilter(start_ms=NOW_MS + 3, end_ms=NOW_MS + 9),
    RowFilter(models=("m0",), project_ids=("p2",), start_ms=NOW_MS + 1),
]


def make_rows(world: World, count: int) -> list[Receipt]:
    """Rows of 3 projects with 2 keys each; many share a millisecond."""
    chosen = random.Random(7)
    rows = []
    for number in range(count):
        key = chosen.randrange(6)
        receipt = make_receipt(make_request(world.identity, f"r{number:04}"), NOW_MS + chosen.randrange(12))
        change = {"project_id": f"p{key // 2}", "api_key_id": f"k{key}", "model": f"m{chosen.randrange(2)}"}
        rows.append(replace(receipt, **change))
    return rows


@pytest.mark.parametrize(("filters", "size"), list(product(FILTERS, [1, 17, 1000])))
def test_list_rows_any_filter_pages_through_a_plain_sort(server: ThrowAwayStore, filters: RowFilter, size: int) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            rows = make_rows(world, 60 if size == 1 else 450)
            await world.store.pipeline(row_commands(world.layout, rows))
            first, last = filters.start_ms or 0, filters.end_ms or 10**15
            wanted = [row for row in rows if filters.admits(row) and first <= row.created_ms < last]
            wanted.sort(key=lambda row: (row.created_ms, row.id), reverse=True)
            found: list[Receipt] = []
            after = None
            while True:
                page, after = await list_rows(world.store, world.layout, filters, size, after)
                found += page
                assert len(page) == size or after is None
                if after is None:
                    break
            assert [row.id for row in found] == [row.id for row in wanted]
            assert [row.id async for row in iterate_rows(world.store, world.layout, filters)] == [r.id for r in wanted]

    asyncio.run(play())


def test_list_rows_trimmed_row_is_skipped(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            rows = make_rows(world, 3)
            await world.store.pipeline(row_commands(world.layout, rows))
            await world.store.command("DEL", world.layout.row("r0001"))
            found, after = await list_rows(world.store, world.layout, RowFilter(), 10)
            assert {row.id for row in found} == {"r0000", "r0002"}
            assert after is None
            assert await get_row(world.store, world.layout, "r0001") is None
            assert await get_row(world.store, world.layout, "r0002") == rows[2]

    asyncio.run(play())


@pytest.mark.parametrize("after", ["", "x", "12", "-3_r", "1.5_r"])
def test_list_rows_with_a_foreign_cursor_raises(server: ThrowAwayStore, after: str) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            with pytest.raises(ValueError):
                await list_rows(world.store, world.layout, RowFilter(), 10, after)

    asyncio.run(play())


def test_row_commands_keep_existing_never_replaces(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            (row,) = make_rows(world, 1)
            await world.store.pipeline(row_commands(world.layout, [row]))
            await world.store.pipeline(row_commands(world.layout, [replace(row, status=9)], keep_existing=True))
            assert await get_row(world.store, world.layout, row.id) == row

    asyncio.run(play())
