"""Pieces for ledger tests: identities in a real store, hold requests, receipts, and sums of what the store says."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from itertools import count

import msgspec

from gateway.core.catalog import Price
from gateway.core.limits import WINDOWS, used_field, window_at
from gateway.core.pricing import cost_nano
from gateway.core.receipt import Attempt, Receipt
from gateway.core.records import Identity, Key, Limit, Organization, Project, SpendLimit
from gateway.ledger.contract import HoldRequest
from gateway.ledger.entries import Entry, Settle
from gateway.ledger.forwarder import Forwarder
from gateway.ledger.holds import Holds, StoreClock
from gateway.ledger.leases import Leases, LiveHold
from gateway.ledger.places import Places
from gateway.ledger.rollups import row_sums
from gateway.ledger.row_writing import row_commands
from gateway.ledger.rows import RowFilter, iterate_rows
from gateway.store.contract import Reply, Store
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

NEURON_RATES = (13_778, 26_128)
ROLLUP_TAGS = ("team", "feature")
PRICE = Price("p1", 0, "test", 152_000_000, 287_000_000)
MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"
NOW_MS = 1_760_000_000_000

_prefixes = count()


def fresh_layout() -> Layout:
    """A prefix nobody has used in this process: tests share a server and not its data."""
    return Layout(prefix=f"t{next(_prefixes)}:")


@dataclass(slots=True)
class Clock:
    """Time that passes when the test says so; unix milliseconds."""

    ms: int = NOW_MS

    def __call__(self) -> int:
        return self.ms

    def seconds(self) -> float:
        return self.ms / 1000


def make_identity(
    budget_nano: int | None = None, key: str = "key_1", project: str = "proj_1", limits: tuple[Limit, ...] = ()
) -> Identity:
    """An organisation, a project with a monthly budget, a key with limits."""
    return Identity(
        Organization("org_1", 1),
        Project(project, 1, "P", 1, spend_limit=None if budget_nano is None else SpendLimit(budget_nano)),
        Key(key, 1, project, "K", 1, "sk-…abcd", "svc_1", limits=limits),
        key_hash=f"hash-of-{key}",
    )


async def write_identity(store: Store, layout: Layout, identity: Identity) -> None:
    """Put the three records into the store."""
    records = (
        (layout.shared("org"), identity.organization),
        (layout.project(identity.project.id), identity.project),
        (layout.key(identity.key_hash), identity.key),
    )
    await store.pipeline(
        [("HSET", name, "v", record.version, "data", msgspec.json.encode(record)) for name, record in records]
    )


def make_request(identity: Identity, name: str, prompt: int = 100, output: int = 200, choices: int = 1) -> HoldRequest:
    return HoldRequest(
        id=name,
        identity=identity,
        model=MODEL,
        requested_model="auto",
        route="auto",
        surface="chat",
        prompt_tokens=prompt,
        max_tokens=output,
        min_tokens=50,
        choices=choices,
        price=PRICE,
        neuron_rates=NEURON_RATES,
        tags={"team": "search", "undeclared": "x"},
    )


def make_receipt(request: HoldRequest, created_ms: int, prompt: int = 90, completion: int = 40) -> Receipt:
    """What a request really used: one attempt."""
    cost = cost_nano(PRICE, prompt, completion)
    return Receipt(
        id=request.id,
        created_ms=created_ms,
        organization_id=request.identity.organization.id,
        project_id=request.identity.project.id,
        api_key_id=request.identity.key.id,
        surface="chat",
        requested_model="auto",
        route="auto",
        reason="cheapest",
        model=request.model,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=0,
        cost_nano=cost,
        neurons_nano=7_000_000,
        usage_source="reported",
        price_source=PRICE.source,
        end_reason="stop",
        status=200,
        stream=False,
        latency_ms=12,
        ttft_ms=None,
        upstream="simulator",
        attempts=[Attempt(request.model, "stop", prompt, completion, cost_nano=cost, price_id="p1")],
        tags=request.tags,
    )


@dataclass(slots=True)
class Books:
    """Everything the store says about spending, in sums that must agree."""

    rows: dict[str, Receipt] = field(default_factory=dict)
    used: dict[str, Counter[str]] = field(default_factory=dict)  # scope → field → amount
    held: dict[str, Counter[str]] = field(default_factory=dict)
    rolling: dict[str, dict[str, list[int]]] = field(default_factory=dict)  # scope → field → [slot, used, held, …]
    rollups: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)  # h, d, p, t → (time, field) → 8 sums
    holds: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    rowless: set[str] = field(default_factory=set)


async def read_books(store: Store, layout: Layout) -> Books:
    """Read all of it."""
    books = Books()
    async for row in iterate_rows(store, layout, RowFilter()):
        assert row.id not in books.rows
        books.rows[row.id] = row
    for name in await _names(store, layout.spent("*")):
        scope = name.rpartition("spent:")[2]
        books.used[scope], books.held[scope], books.rolling[scope] = Counter(), Counter(), {}
        flat = await store.command("HGETALL", name)
        for counter, value in zip(flat[::2], flat[1::2], strict=True):
            letter, _, what = counter.decode().partition(":")
            if letter == "r":
                books.rolling[scope][what] = msgspec.msgpack.decode(value)
            else:
                (books.used if letter == "u" else books.held)[scope][what] = int(value)
    for letter in "hdpt":
        sums: Counter[tuple[str, str]] = Counter()
        for name in await _names(store, layout.shared("use", letter, "*")):
            for place, value in (await _hash(store, name)).items():
                for number, part in enumerate(value.split()):
                    sums[place, str(number)] += int(part)
        books.rollups[letter] = sums
    books.holds = set(await _hash(store, layout.shared("holds")))
    books.expired = set(await _hash(store, layout.shared("expired")))
    books.rowless = set(await _hash(store, layout.shared("rowless")))
    return books


def assert_books_agree(books: Books) -> None:
    """Rows = roll-ups = counters, in every cut."""
    rollups = {letter: Counter[tuple[str, str]]() for letter in "hdpt"}
    used: dict[str, Counter[str]] = {}
    for row in books.rows.values():
        hour = row.created_ms // 3_600_000 * 3600
        windows = [window_at(name, row.created_ms) for name in WINDOWS]
        for number, value in enumerate(row_sums(row)):
            for letter in ("h", "d"):
                rollups[letter][f"{row.project_id}|{row.api_key_id}|{row.model}", str(number)] += value
            rollups["p"][f"{hour}|{row.project_id}|{row.model}", str(number)] += value
            for tag in row.rolled_up:
                rollups["t"][f"{hour}|{row.project_id}|{row.model}|{tag}={row.tags[tag]}", str(number)] += value
        for scope in ("o", f"p:{row.project_id}", f"k:{row.api_key_id}"):
            counters = used.setdefault(scope, Counter())
            for window in windows:
                counters[used_field("money", window)[2:]] += row.cost_nano
                counters[used_field("tokens", window)[2:]] += row.prompt_tokens + row.completion_tokens
                counters[used_field("requests", window)[2:]] += 1
                counters[used_field("neurons", window)[2:]] += row.neurons_nano or 0
    assert {letter: +books.rollups[letter] for letter in "hdpt"} == {letter: +rollups[letter] for letter in "hdpt"}
    assert {scope: +sums for scope, sums in books.used.items() if +sums} == {k: +v for k, v in used.items() if +v}


async def _names(store: Store, pattern: str) -> list[str]:
    return sorted(name.decode() for name in await store.command("KEYS", pattern.replace("{", "[{]")))


async def _hash(store: Store, name: str) -> dict[str, str]:
    flat = await store.command("HGETALL", name)
    return {key.decode(): value.decode("utf-8", "replace") for key, value in zip(flat[::2], flat[1::2], strict=True)}


@dataclass(slots=True)
class World:
    """One store with one identity in it, and time that the test moves."""

    store: RedisStore
    layout: Layout
    identity: Identity
    clock: Clock
    places: Places
    holds: Holds
    leases: Leases
    live: dict[str, LiveHold]

    async def settle(self, number: int, entry: Entry, spool: str = "spool-1", oldest: bool = False) -> list[Reply]:
        """One settle step with its row, as a forwarder sends it."""
        source = EntrySource(spool, number, oldest)
        forwarder = Forwarder(self.store, self.places, source, lambda: str(self.clock()))  # type: ignore[arg-type]  # what a step asks of a spool
        step = forwarder.step(number, entry)
        receipts = [entry.receipt] if isinstance(entry, Settle) else []
        replies = await self.store.pipeline([step, *row_commands(self.layout, receipts)])
        return [replies[0][0].decode(), replies[0][1]]


@dataclass(slots=True, frozen=True)
class EntrySource:
    """A spool's name and whether its entry is the oldest it has."""

    name: str
    number: int
    is_oldest: bool

    @property
    def first(self) -> int:
        return self.number if self.is_oldest else -1


@asynccontextmanager
async def open_world(
    url: str, budget_nano: int | None = None, limits: tuple[Limit, ...] = (), zone: tzinfo = UTC
) -> AsyncIterator[World]:
    """A world of its own in a shared server."""
    layout, clock = replace(fresh_layout(), zone=zone), Clock()
    store = RedisStore(url, layout)
    try:
        await store.bind_instance(None)
        identity = make_identity(budget_nano, limits=limits)
        await write_identity(store, layout, identity)
        places, store_clock = Places(layout, ROLLUP_TAGS), StoreClock(clock)
        holds = Holds(store, places, store_clock)
        live: dict[str, LiveHold] = {}
        leases = Leases(store, places, store_clock, holds, live)
        yield World(store, layout, identity, clock, places, holds, leases, live)
    finally:
        await store.close()
