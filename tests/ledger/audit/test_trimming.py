"""Rows leave by age and by number; the books agree before, after, and wherever it was interrupted."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.ledgers import World, make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.ledger.audit.opening import read_state
from gateway.ledger.audit.trimming import BATCH, Retention, Trimmer
from gateway.ledger.audit.verification import Assignment, Verifier
from gateway.ledger.entries import Settle
from gateway.store.contract import Argument, Reply
from gateway.store.redis_store import RedisStore

HOUR_MS = 3_600_000


@asynccontextmanager
async def world_of_rows(url: str, count: int) -> AsyncIterator[tuple[World, int]]:
    """Rows of the last `count` half hours, oldest first, and the store's time in ms."""
    async with open_world(url) as world:
        now_ms = int((await world.store.command("TIME"))[0]) * 1000
        await world.store.command("HSET", world.layout.shared("key_hashes"), "key_1", "x")
        for number in range(count):
            created = now_ms - (count - number) * HOUR_MS // 2
            row = make_receipt(make_request(world.identity, f"r{number:04d}"), created, prompt=number)
            await world.settle(number + 1, Settle(row), oldest=number == 0)
        yield world, now_ms


async def verify(world: World) -> None:
    verifier = Verifier(world.store, world.layout, int, (0.0,))
    cursor: str | None = None
    for _ in itertools.count():
        portion = await verifier.portion(Assignment(cursor=cursor))
        assert (portion.findings, portion.moving, portion.waiting) == ([], 0, 0)
        cursor = portion.cursor
        if cursor is None:
            return


def exported_ids(folder: Path) -> list[str]:
    return [json.loads(line)["id"] for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]


async def left(world: World) -> list[str]:
    return [name.decode() for name in await world.store.command("ZRANGE", world.layout.rows(), 0, -1)]


@pytest.mark.parametrize(
    ("days", "max_rows", "gone"), [(1, 10_000, 12), (90, 20, 40), (1, 50, 12), (90, 1, 58), (90, 60, 0)]
)
def test_round_keeps_days_and_number_and_the_books_agree(
    server: ThrowAwayStore, tmp_path: Path, days: int, max_rows: int, gone: int
) -> None:
    async def play() -> None:
        async with world_of_rows(server.url, 60) as (world, now_ms):
            await verify(world)
            trimmer = Trimmer(world.store, world.layout, tmp_path, Retention(days, max_rows))
            assert await trimmer.round(now_ms) == gone
            assert await trimmer.round(now_ms) == 0
            assert await left(world) == [f"r{number:04d}" for number in range(gone, 60)]
            exported = exported_ids(tmp_path)
            assert exported == [f"r{number:04d}" for number in range(gone)]
            assert (await read_state(world.store, world.layout)).rows == gone
            assert await world.store.command("ZCARD", world.layout.rows("p:proj_1")) == 60 - gone
            assert await world.store.command("EXISTS", *(world.layout.row(name) for name in exported), "none") == 0
            await verify(world)

    asyncio.run(play())


def test_round_damaged_balance_is_found(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with world_of_rows(server.url, 10) as (world, now_ms):
            await Trimmer(world.store, world.layout, tmp_path, Retention(90, 5)).round(now_ms)
            key = world.layout.shared("opening")
            (name,) = await world.store.command("HKEYS", key)
            await world.store.command("HSET", key, name, "1 1 1 1 1 1 1")
            portion = await Verifier(world.store, world.layout, int, (0.0,)).portion(Assignment())
            assert [each.check for each in portion.findings] == ["opening"]

    asyncio.run(play())


class DyingStore(RedisStore):
    """A store whose user dies before its command number `last` is sent."""

    last = 10**9

    async def command(self, *arguments: Argument) -> Reply:
        self._step()
        return await super().command(*arguments)

    async def pipeline(self, commands: object) -> list[Reply]:
        self._step()
        return await super().pipeline(commands)  # type: ignore[arg-type]  # handed through as it came

    async def script(self, *arguments: object) -> Reply:
        self._step()
        return await super().script(*arguments)  # type: ignore[arg-type]  # handed through as it came

    def _step(self) -> None:
        self.last -= 1
        if self.last < 0:
            raise KeyboardInterrupt


def test_round_interrupted_anywhere_is_finished_by_the_next(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        finished = False
        for last in itertools.count():
            async with world_of_rows(server.url, 6) as (world, now_ms):
                dying = DyingStore(server.url, world.layout)
                dying.last = last
                folder = tmp_path / str(last)
                try:
                    await Trimmer(dying, world.layout, folder, Retention(90, 3)).round(now_ms)
                    finished = True
                except KeyboardInterrupt:
                    pass
                await dying.close()
                await Trimmer(world.store, world.layout, folder, Retention(90, 3)).round(now_ms)
                assert await left(world) == ["r0003", "r0004", "r0005"]
                assert (await read_state(world.store, world.layout)).rows == 3
                assert set(exported_ids(folder)) == {"r0000", "r0001", "r0002"}
                await verify(world)
            if finished:
                assert last > 8
                return

    asyncio.run(play())


def test_round_late_row_of_trimmed_time_goes_next(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with world_of_rows(server.url, 8) as (world, now_ms):
            trimmer = Trimmer(world.store, world.layout, tmp_path, Retention(90, 3))
            await trimmer.round(now_ms)
            late = make_receipt(make_request(world.identity, "late"), now_ms - 4 * HOUR_MS)
            await world.settle(1, Settle(late), spool="another", oldest=True)
            await verify(world)
            assert await trimmer.round(now_ms) == 1
            assert "late" not in await left(world)
            await verify(world)

    asyncio.run(play())


def test_round_many_rows_take_several_batches(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with world_of_rows(server.url, BATCH + 20) as (world, now_ms):
            assert await Trimmer(world.store, world.layout, tmp_path, Retention(1, 10**6)).round(now_ms) == BATCH - 28
            assert await Trimmer(world.store, world.layout, tmp_path, Retention(90, 10)).round(now_ms) == 38
            await verify(world)

    asyncio.run(play())
