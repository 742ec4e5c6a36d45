"""Workers over one store: what one finds out all know; without the store each goes on alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from support.clock import Clock
from support.ledgers import fresh_layout
from support.upstreams import on_loop
from support.worker import until

from gateway.core.answer import Failure
from gateway.core.catalog import Model
from gateway.core.eligibility import Candidate, Learned, Sample
from gateway.core.errors import StoreAway
from gateway.core.policies import tell_cost
from gateway.fleet.breakers import FAILURES
from gateway.fleet.exchange import Exchange
from gateway.fleet.health import RETEST_SECONDS
from gateway.fleet.knowledge import Knowledge
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

CANDIDATE = Candidate(Model("m", 128_000, (), successor="new"), 10, 100, 0, tell_cost)
RETIRED = Failure("retired", "x")


@dataclass(slots=True)
class Member:
    """One worker's knowledge and its exchange."""

    knowledge: Knowledge
    exchange: Exchange

    @property
    def learned(self) -> Learned:
        return self.knowledge.learned()


@asynccontextmanager
async def fleet(store_url: str, clock: Clock, count: int = 2) -> AsyncIterator[tuple[list[Member], RedisStore, Layout]]:
    """Workers that share a store, which each asks when the test says so."""
    layout = fresh_layout()
    store = RedisStore(store_url, layout)
    try:
        members = []
        for _ in range(count):
            knowledge = Knowledge(clock)
            members.append(Member(knowledge, Exchange(store, layout, knowledge.board, knowledge.learn)))
        yield members, store, layout
    finally:
        await store.close()


async def tell(*members: Member) -> None:
    for member in members:
        await member.exchange.exchange()


@on_loop
async def test_exchange_tells_rests_windows_limits_speeds_and_what_stops_the_account(store_url: str) -> None:
    clock = Clock()
    async with fleet(store_url, clock) as ((one, other), _, __):
        for _ in range(FAILURES):
            one.knowledge.failed(CANDIDATE, Failure("capacity", "x"))
        one.knowledge.failed(CANDIDATE, Failure("too_long", "x", limit_tokens=24_000))
        one.knowledge.failed(CANDIDATE, Failure("rate_limited", "x", code=971))
        one.knowledge.answered(Candidate(Model("n", 9, ()), 10, 100, 0, tell_cost, doubt="content_chars"))
        one.knowledge.settled(Sample("key", "auto", "n", 40, 0.5, 2.5))
        await tell(one, other)
        assert other.learned == one.learned
        assert other.learned.resting.keys() == {"m"}
        assert other.learned.speeds.keys() == {"n"}
        clock.now += 2.5
        other.knowledge.attempting("m")  # the trial keeps the first one away
        await tell(other, one)
        assert one.learned.resting["m"] > clock.now
        other.knowledge.answered(CANDIDATE)
        await tell(other, one)
        assert one.learned.resting == {}


@on_loop
async def test_exchange_one_answer_of_each_worker_confirms_a_retirement(store_url: str) -> None:
    clock = Clock()
    async with fleet(store_url, clock) as ((one, other), _, __):
        one.knowledge.failed(CANDIDATE, RETIRED)
        await tell(one, other)
        assert other.learned.retired == {}
        clock.now += 1
        other.knowledge.failed(CANDIDATE, RETIRED)
        await tell(other, one)
        assert one.learned.retired == other.learned.retired == {"m": clock.now}
        clock.now += RETEST_SECONDS  # both may ask again; the first to do so answers for both
        assert one.learned.retired == other.learned.retired == {}
        one.knowledge.failed(CANDIDATE, RETIRED)
        await tell(one, other)
        assert other.learned.retired.keys() == {"m"}
        clock.now += 1
        one.knowledge.answered(CANDIDATE)
        await tell(one, other)
        assert other.learned.retired == {}
        assert other.learned.proven == {"m"}


@on_loop
async def test_exchange_a_live_model_is_not_lost_to_odd_answers_of_different_workers(store_url: str) -> None:
    clock = Clock()
    async with fleet(store_url, clock, 3) as (members, _, __):
        for odd in members * 3:
            odd.knowledge.failed(CANDIDATE, RETIRED)
            await tell(*members, *members)
            clock.now += 1
            members[0].knowledge.answered(CANDIDATE)
            await tell(*members, *members)
            clock.now += 1
            assert [member.learned.retired for member in members] == [{}, {}, {}]


@on_loop
async def test_exchange_a_new_worker_knows_what_the_others_know(store_url: str) -> None:
    clock = Clock()
    async with fleet(store_url, clock) as ((one, newcomer), _, __):
        for _ in range(2):
            one.knowledge.failed(CANDIDATE, RETIRED)
        await tell(one)
        clock.now += 60
        assert newcomer.learned.retired == {}
        await tell(newcomer)
        assert newcomer.learned.retired.keys() == {"m"}


@on_loop
async def test_exchange_a_store_that_forgot_is_told_again(store_url: str) -> None:
    async with fleet(store_url, Clock()) as ((one, other), store, layout):
        one.knowledge.failed(CANDIDATE, Failure("too_long", "x", limit_tokens=24_000))
        await tell(one)
        await store.command("DEL", layout.shared("fleet"))
        await tell(one, one, other)
        assert other.learned.windows == {"m": 24_000}


@on_loop
async def test_exchange_notes_of_another_version_are_left_alone(store_url: str) -> None:
    async with fleet(store_url, Clock()) as ((one, other), store, layout):
        await store.command("HSET", layout.shared("fleet"), "weather m", '12.5 {"type":"weather"}', "version", 7)
        one.knowledge.failed(CANDIDATE, Failure("too_long", "x", limit_tokens=24_000))
        await tell(one, other)
        assert other.learned.windows == {"m": 24_000}
        assert await store.command("HGET", layout.shared("fleet"), "weather m") == b'12.5 {"type":"weather"}'


@on_loop
async def test_exchange_without_the_store_keeps_what_it_could_not_tell(store_url: str) -> None:
    async with fleet(store_url, Clock()) as ((one, other), _, layout):
        away = RedisStore("redis://127.0.0.1:1", layout)
        alone = Exchange(away, layout, one.knowledge.board, one.knowledge.learn)
        one.knowledge.failed(CANDIDATE, Failure("too_long", "x", limit_tokens=24_000))
        with pytest.raises(StoreAway):
            await alone.exchange()
        await away.close()
        assert one.learned.windows == {"m": 24_000}
        await tell(one, other)
        assert other.learned.windows == {"m": 24_000}


@on_loop
async def test_run_tells_at_once_what_is_urgent(store_url: str) -> None:
    async with fleet(store_url, Clock()) as ((one, other), _, __):
        tasks = [asyncio.create_task(member.exchange.run()) for member in (one, other)]
        try:
            await until(lambda: other.exchange._version >= 0)
            one.knowledge.failed(CANDIDATE, Failure("too_long", "x", limit_tokens=24_000))
            await until(lambda: other.learned.windows)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
