"""A member keeps in step with the others, also after something of it broke."""

import asyncio
import logging
import time

import pytest
from support.ledgers import fresh_layout
from support.upstreams import on_loop
from support.worker import until

from gateway.core.account import AccountRates
from gateway.core.answer import Failure
from gateway.core.catalog import Catalog, Model, Price
from gateway.core.eligibility import Candidate
from gateway.core.policies import tell_cost
from gateway.fleet.membership import Membership
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

MODEL = Model("m", 128_000, (Price("p", 0, "page", 1, 1),))
CATALOG = Catalog({"m": MODEL}, {}, {})
RATES = AccountRates(requests_per_minute=4)


@on_loop
async def test_run_shares_what_is_learned_and_what_may_be_sent(store_url: str) -> None:
    layout = fresh_layout()
    store = RedisStore(store_url, layout)
    one, other = (Membership(store, layout, name, RATES, CATALOG) for name in "ab")
    tasks = [asyncio.create_task(member.run()) for member in (one, other)]
    candidate = Candidate(MODEL, 10, 100, 0, tell_cost)
    one.knowledge.failed(candidate, Failure("too_long", "x", limit_tokens=24_000))
    await until(lambda: other.knowledge.learned().windows)
    assert await other.governor.turn("m", "p", 1, 1, time.monotonic() + 5) < 5
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await store.close()


@on_loop
async def test_run_after_a_break_tells_and_begins_again(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    layout = Layout(prefix="broken:")
    store = RedisStore(store_url, layout)
    await store.command("HSET", layout.shared("fleet"), "window m", "no-number {}", "version", 5)
    member = Membership(store, layout, "a", RATES, CATALOG)
    with caplog.at_level(logging.CRITICAL):
        running = asyncio.create_task(member.run())
        await until(lambda: any("begins again" in record.getMessage() for record in caplog.records))
        await store.command("DEL", layout.shared("fleet"))
        candidate = Candidate(MODEL, 10, 100, 0, tell_cost)
        member.knowledge.failed(candidate, Failure("too_long", "x", limit_tokens=24_000))
        await until(lambda: not member.knowledge.board.unsent)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()
