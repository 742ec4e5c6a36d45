"""The store is away: keys that may go on are served by what is known here, and everything is booked afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.ledgers import (
    PRICE,
    ROLLUP_TAGS,
    assert_books_agree,
    make_identity,
    make_receipt,
    make_request,
    read_books,
    write_identity,
)
from support.valkey import ThrowAwayStore, throw_away_store

from gateway.core.allowance import Share
from gateway.core.errors import StoreAway
from gateway.core.pricing import worst_cost
from gateway.core.records import Identity, Limit, Rules
from gateway.ledger.absence import may_go_on
from gateway.ledger.contract import Held, HoldRequest, Refused, Revoked
from gateway.ledger.service import LedgerOptions, StoreLedger
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

COST = worst_cost(PRICE, 100, 200)
ALLOW = Rules(on_store_down="allow")


def allowed(budget_nano: int | None = None, *limits: Limit) -> Identity:
    identity = make_identity(budget_nano, limits=limits)
    return replace(identity, key=replace(identity.key, rules=ALLOW))


def whole_or_nothing(identity: Identity, name: str) -> HoldRequest:
    request = make_request(identity, name)
    request.min_tokens = request.max_tokens
    return request


@asynccontextmanager
async def opened(server: ThrowAwayStore, root: Path, share: Share) -> AsyncIterator[tuple[StoreLedger, RedisStore]]:
    store = RedisStore(server.url, Layout("away:"), deadline_seconds=0.3)
    ledger = StoreLedger(store, Layout("away:"), root, options=LedgerOptions(rollup_tags=ROLLUP_TAGS))
    ledger.keep_to(share)
    try:
        yield ledger, store
    finally:
        await ledger.close()
        await store.close()


Scenario = Callable[[ThrowAwayStore, StoreLedger, RedisStore], Awaitable[None]]


def play(root: Path, identity: Identity, scenario: Scenario, share: Share | None = None) -> None:
    async def run(server: ThrowAwayStore) -> None:
        async with opened(server, root, share or Share()) as (ledger, store):
            await store.bind_instance(None)
            await write_identity(store, Layout("away:"), identity)
            await scenario(server, ledger, store)

    with throw_away_store() as server:
        asyncio.run(run(server))


async def known(ledger: StoreLedger, identity: Identity) -> None:
    """One request while the store answers, and its word on the limits."""
    held = await ledger.hold(make_request(identity, "first"))
    assert isinstance(held, Held)
    ledger.settle(make_receipt(make_request(identity, "first"), held.created_ms, 100, 200))
    assert await ledger.drain(asyncio.get_running_loop().time() + 60)
    await ledger._absence.refresh()


def test_key_of_a_project_that_allows_may_go_on() -> None:
    identity = make_identity()
    assert not may_go_on(identity)
    assert may_go_on(allowed())
    assert may_go_on(replace(identity, project=replace(identity.project, rules=ALLOW)))


def test_frozen_store_serves_up_to_the_budget_and_books_it_later(tmp_path: Path) -> None:
    identity = allowed(4 * COST)

    async def scenario(server: ThrowAwayStore, ledger: StoreLedger, store: RedisStore) -> None:
        await ledger.start()
        await known(ledger, identity)
        server.freeze()
        try:
            for name in ("r1", "r2", "r3"):
                request = whole_or_nothing(identity, name)
                held = await ledger.hold(request)
                assert isinstance(held, Held)
                assert held.max_tokens == 200
                ledger.settle(make_receipt(request, held.created_ms, 100, 200))
            refused = await ledger.hold(make_request(identity, "r4"))
            assert isinstance(refused, Refused)
            assert (refused.scope, refused.kind, refused.used) == ("project", "money", 4 * COST)
            deny = make_request(make_identity(4 * COST), "r5")
            with pytest.raises(StoreAway):
                await ledger.hold(deny)
        finally:
            server.thaw()
        assert ledger.admitted_without_store == 3
        async with asyncio.timeout(20):
            while ledger.pending or not store.is_answering:  # noqa: ASYNC110 – what is waited for has no event
                await asyncio.sleep(0.01)
        books = await read_books(store, Layout("away:"))
        assert_books_agree(books)
        assert (set(books.rows), books.holds) == ({"first", "r1", "r2", "r3"}, set())
        assert isinstance(await ledger.hold(make_request(identity, "r6")), Refused)

    play(tmp_path, identity, scenario)


def test_request_admitted_without_the_store_is_restated_when_it_is_back(tmp_path: Path) -> None:
    identity = allowed(4 * COST)

    async def scenario(server: ThrowAwayStore, ledger: StoreLedger, store: RedisStore) -> None:
        await known(ledger, identity)
        server.kill()
        assert isinstance(await ledger.hold(make_request(identity, "running")), Held)
        server.start()
        async with asyncio.timeout(20):
            while not store.is_answering:
                await asyncio.sleep(0.05)
                await ledger.drain(asyncio.get_running_loop().time() + 1)
        await ledger.maintain()
        books = await read_books(store, Layout("away:"))
        assert books.holds == {"running"}
        assert max(books.held["p:proj_1"].values()) == COST

    play(tmp_path, identity, scenario)


def test_limits_nobody_was_told_about_are_not_guessed(tmp_path: Path) -> None:
    identity = allowed(4 * COST)

    async def scenario(server: ThrowAwayStore, ledger: StoreLedger, store: RedisStore) -> None:
        server.kill()
        with pytest.raises(StoreAway, match="not known here"):
            await ledger.hold(make_request(identity, "r1"))
        assert isinstance(await ledger.hold(make_request(allowed(), "r2")), Held)  # nothing is limited

    play(tmp_path, identity, scenario)


def test_one_of_two_workers_keeps_to_its_half(tmp_path: Path) -> None:
    identity = allowed(None, Limit("requests", 7, "day"), Limit("concurrency", 9, "now"))

    async def scenario(server: ThrowAwayStore, ledger: StoreLedger, store: RedisStore) -> None:
        await known(ledger, identity)
        server.kill()
        outcomes = [await ledger.hold(make_request(identity, f"r{number}")) for number in range(5)]
        assert [isinstance(outcome, Held) for outcome in outcomes] == [True, True, True, False, False]
        refused = outcomes[-1]
        assert isinstance(refused, Refused)
        assert (refused.kind, refused.limit, refused.retry_after) == ("requests", 7, 5.0)
        ledger.release("r0", identity)  # a request that was not made is none
        assert isinstance(await ledger.hold(make_request(identity, "r9")), Held)

    play(tmp_path, identity, scenario, Share(0, 2))


@pytest.mark.parametrize("fault", ["maxmemory", "flush"])
def test_store_that_answers_without_serving_is_away_as_well(tmp_path: Path, fault: str) -> None:
    identity = allowed(4 * COST)

    async def scenario(server: ThrowAwayStore, ledger: StoreLedger, store: RedisStore) -> None:
        await known(ledger, identity)
        await store.command(*(("FLUSHALL",) if fault == "flush" else ("CONFIG", "SET", "maxmemory", "1")))
        for number in range(3):
            assert isinstance(await ledger.hold(whole_or_nothing(identity, f"r{number}")), Held)
        with pytest.raises(StoreAway):
            await ledger.hold(make_request(make_identity(4 * COST), "r5"))

    play(tmp_path, identity, scenario)


def test_key_that_has_expired_meanwhile_is_refused(tmp_path: Path) -> None:
    identity = allowed()
    gone = replace(identity, key=replace(identity.key, expires_at=1))

    async def scenario(server: ThrowAwayStore, ledger: StoreLedger, store: RedisStore) -> None:
        server.kill()
        assert isinstance(await ledger.hold(make_request(gone, "r1")), Revoked)

    play(tmp_path, identity, scenario)


def test_hold_that_may_have_been_taken_for_a_refused_request_is_given_back(tmp_path: Path) -> None:
    identity = allowed(COST)

    async def scenario(server: ThrowAwayStore, ledger: StoreLedger, store: RedisStore) -> None:
        await known(ledger, identity)  # uses all of it
        server.freeze()
        try:
            assert isinstance(await ledger.hold(make_request(identity, "r1")), Refused)
            assert ledger.pending == 1  # the release
        finally:
            server.thaw()

    play(tmp_path, identity, scenario)
