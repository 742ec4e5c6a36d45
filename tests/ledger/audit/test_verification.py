"""The whole check over a real ledger: clean books stay clean under load, every kind of damage is found and repaired."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.ledgers import (
    ROLLUP_TAGS,
    assert_books_agree,
    fresh_layout,
    make_identity,
    make_receipt,
    make_request,
    read_books,
    write_identity,
)
from support.valkey import ThrowAwayStore

from gateway.core.records import Identity
from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.verification import COUNTERS, Assignment, Verifier
from gateway.ledger.contract import Held
from gateway.ledger.service import LedgerOptions, StoreLedger
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore


@dataclass(slots=True)
class Site:
    """A running ledger with its books, and a verifier that does not wait."""

    store: RedisStore
    layout: Layout
    ledger: StoreLedger
    identity: Identity
    verifier: Verifier

    async def serve(self, name: str, prompt: int = 90, team: str = "search") -> None:
        request = replace(make_request(self.identity, name), tags={"team": team})
        held = await self.ledger.hold(request)
        assert isinstance(held, Held)
        self.ledger.settle(make_receipt(request, held.created_ms, prompt))

    async def drain(self) -> None:
        assert await self.ledger.drain(asyncio.get_running_loop().time() + 60)

    async def verify(self, is_repair: bool = False, rows: int = 1_000_000) -> tuple[list[Finding], list[Finding]]:
        findings: list[Finding] = []
        repaired: list[Finding] = []
        cursor: str | None = None
        while True:
            portion = await self.verifier.portion(Assignment(None, cursor, rows, is_repair))
            findings += portion.findings
            repaired += portion.repaired
            cursor = portion.cursor
            if cursor is None:
                return findings, repaired

    async def first(self, pattern: str) -> str:
        found = await self.store.command("KEYS", f"{self.layout.prefix}[{{]default}}:{pattern}")
        return str(sorted(found)[0].decode())


@asynccontextmanager
async def open_site(url: str, root: Path, budget_nano: int | None = 10**12) -> AsyncIterator[Site]:
    layout, identity = fresh_layout(), make_identity(budget_nano)
    store = RedisStore(url, layout)
    ledger = StoreLedger(store, layout, root, options=LedgerOptions(rollup_tags=ROLLUP_TAGS))
    try:
        await write_identity(store, layout, identity)
        await store.command("ZADD", layout.shared("projects"), 1_700_000_000, identity.project.id)
        await store.command("HSET", layout.shared("key_hashes"), identity.key.id, identity.key_hash)
        await ledger.start()
        yield Site(store, layout, ledger, identity, Verifier(store, layout, lambda: ledger.pending, (0.0, 0.0)))
    finally:
        await ledger.close()
        await store.close()


def test_verify_books_of_many_requests_finds_nothing(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_site(server.url, tmp_path) as site:
            assert await site.verify() == ([], [])
            for number in range(250):
                await site.serve(f"r{number}", number)
            open_request = make_request(site.identity, "open")
            assert isinstance(await site.ledger.hold(open_request), Held)
            await site.drain()
            assert await site.verify() == ([], [])
            assert await site.verify(rows=1) == ([], [])

    asyncio.run(play())


def test_verify_beside_running_requests_finds_nothing(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_site(server.url, tmp_path) as site:
            stop = asyncio.Event()

            async def load(worker: int) -> None:
                number = 0
                while not stop.is_set() and number < 150:
                    number += 1
                    await site.serve(f"w{worker}-{number}")  # all alike: a slip would repeat itself

            tasks = [asyncio.create_task(load(worker)) for worker in range(4)]
            try:
                for _ in range(6):
                    assert await site.verify() == ([], [])
            finally:
                stop.set()
                await asyncio.gather(*tasks)
            await site.drain()
            assert await site.verify() == ([], [])

    asyncio.run(play())


async def _drop_row(site: Site) -> None:
    await site.store.command("DEL", site.layout.row("r3"))


async def _raise_hour(site: Site) -> None:
    key = await site.first("use:h:*")
    (name,) = await site.store.command("HKEYS", key)
    await site.store.command("HSET", key, name, "9 9 9 9 9 9 9")


async def _drop_day(site: Site) -> None:
    await site.store.command("DEL", await site.first("use:d:*"))


async def _drop_hours(site: Site) -> None:
    await site.store.command("DEL", await site.first("use:p:*"))


async def _raise_tag(site: Site) -> None:
    key = await site.first("use:t:*")
    names = await site.store.command("HKEYS", key)
    await site.store.command("HSET", key, sorted(names)[0], "9 9 9 9 9 9 9 9")


async def _drop_tags(site: Site) -> None:
    await site.store.command("DEL", await site.first("use:t:*"))


async def _raise_counter(site: Site) -> None:
    await site.store.command("HINCRBY", site.layout.spent("p:proj_1"), "u:money:total", 5)


async def _drop_counters(site: Site) -> None:
    await site.store.command("DEL", site.layout.spent("k:key_1"), site.layout.spent("o"))


async def _raise_held(site: Site) -> None:
    (field,) = [f for f in await site.store.command("HKEYS", site.layout.spent("p:proj_1")) if f.startswith(b"h:")]
    await site.store.command("HINCRBY", site.layout.spent("p:proj_1"), field, 77)


async def _forget_in_index(site: Site) -> None:
    await site.store.command("ZREM", site.layout.rows("k:key_1"), "r4")


async def _move_in_index(site: Site) -> None:
    await site.store.command("ZINCRBY", site.layout.rows(), 1, "r5")


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (_drop_row, "rows"),
        (_raise_hour, "rows"),
        (_raise_tag, "rows"),
        (_drop_tags, "rows"),
        (_drop_day, "rollups"),
        (_drop_hours, "rollups"),
        (_raise_counter, "counters"),
        (_drop_counters, "counters"),
        (_raise_held, "held"),
        (_forget_in_index, "index"),
        (_move_in_index, "index"),
    ],
)
def test_verify_damaged_books_finds_and_repairs(
    server: ThrowAwayStore, tmp_path: Path, damage: Callable[[Site], Awaitable[None]], check: str
) -> None:
    async def play() -> None:
        async with open_site(server.url, tmp_path) as site:
            for number in range(7):
                await site.serve(f"r{number}", number)
            assert isinstance(await site.ledger.hold(make_request(site.identity, "open")), Held)
            await site.drain()
            await damage(site)
            findings, _ = await site.verify()
            assert check in {finding.check for finding in findings}
            left, repaired = await site.verify(is_repair=True)
            assert not left
            assert check in {finding.check for finding in repaired}
            assert await site.verify() == ([], [])
            assert_books_agree(await read_books(site.store, site.layout))

    asyncio.run(play())


def test_verify_values_without_room_in_the_roll_up_are_found_under_other(
    server: ThrowAwayStore, tmp_path: Path
) -> None:
    async def play() -> None:
        async with open_site(server.url, tmp_path) as site:
            await site.serve("first")
            await site.drain()
            key = await site.first("use:t:*")
            full = [part for number in range(10_000) for part in (f"0|p|m|team={number}", "1 2 3 0 5 0 0 0")]
            await site.store.command("HSET", key, *full)
            for number, team in enumerate(("search", "late", "later")):
                await site.serve(f"r{number}", team=team)
            await site.drain()
            fields = [name.decode() for name in await site.store.command("HKEYS", key) if name[:2] != b"0|"]
            assert any(name.endswith("|team=(other)") for name in fields)
            assert not any("|team=late" in name for name in fields)
            assert await site.verify() == ([], [])

    asyncio.run(play())


def test_verify_hold_without_lease_is_an_orphan_and_ends_in_a_row(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_site(server.url, tmp_path) as site:
            assert isinstance(await site.ledger.hold(make_request(site.identity, "lost")), Held)
            site.ledger.live.clear()
            await site.store.command("ZREM", site.layout.shared("leases"), "lost")
            findings, _ = await site.verify()
            assert [(each.check, each.subject) for each in findings] == [("orphans", "lost")]
            _, repaired = await site.verify(is_repair=True)
            assert [each.check for each in repaired] == ["orphans"]
            await site.ledger.maintain()
            books = await read_books(site.store, site.layout)
            assert [row.end_reason for row in books.rows.values()] == ["expired"]
            assert await site.verify() == ([], [])

    asyncio.run(play())


def test_portion_difference_with_receipts_on_their_way_is_waiting(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_site(server.url, tmp_path) as site:
            await site.serve("r1")
            await site.drain()
            await site.store.command("DEL", site.layout.row("r1"))
            verifier = Verifier(site.store, site.layout, lambda: 1, (0.0,))
            portion = await verifier.portion(Assignment())
            assert (portion.findings, portion.waiting, portion.cursor) == ([], 3, COUNTERS)

    asyncio.run(play())


def test_portion_since_looks_at_no_earlier_hour(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        async with open_site(server.url, tmp_path) as site:
            await site.serve("r1")
            await site.drain()
            now = int((await site.store.command("TIME"))[0])
            portion = await site.verifier.portion(Assignment(since=now + 7200))
            assert (portion.hours, portion.rows) == (0, 0)
            with pytest.raises(ValueError, match="cursor"):
                await site.verifier.portion(Assignment(cursor="x"))

    asyncio.run(play())
