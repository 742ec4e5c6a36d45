"""The account's rates are kept, whoever asks where; who waits is served by weight, bounded, and holds nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from support.ledgers import fresh_layout
from support.upstreams import on_loop
from support.worker import until

from gateway.core.account import AccountRates
from gateway.core.catalog import Catalog, Model, Price
from gateway.core.errors import RateLimited
from gateway.fleet.governor import Governor
from gateway.store.redis_store import RedisStore

MODELS = {name: Model(name, 1000, (Price("p", 0, "page", 1, 1),)) for name in ("a", "b")}
CATALOG = Catalog(MODELS, {}, {})
RATES = AccountRates(requests_per_minute=40, queue_seconds=20.0)
MINUTE = 3.0  # of the governors here; they keep a margin of a second


@asynccontextmanager
async def governing(
    store_url: str, rates: AccountRates = RATES, count: int = 1, catalog: Catalog = CATALOG
) -> AsyncIterator[list[Governor]]:
    """Workers' governors that share permits through a store."""
    layout = fresh_layout()
    store = RedisStore(store_url, layout)
    governors = [Governor(store, layout, f"w{number}", rates, catalog, minute=MINUTE) for number in range(count)]
    tasks = [asyncio.create_task(governor.run()) for governor in governors]
    try:
        yield governors
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.close()


async def turn(governor: Governor, project: str = "p", model: str = "a", weight: int = 1, calls: int = 1) -> float:
    return await governor.turn(model, project, weight, calls, time.monotonic() + 30)


def most_in_a_window(moments: list[float], seconds: float) -> int:
    return max(sum(end - seconds < moment <= end for moment in moments) for end in moments)


@on_loop
async def test_turn_without_rates_never_waits(store_url: str) -> None:
    async with governing(store_url, AccountRates()) as (governor,):
        assert [await turn(governor) for _ in range(1_000)] == [0.0] * 1_000
        assert governor.full() == frozenset()


@on_loop
async def test_turns_of_several_workers_never_exceed_the_rate_in_any_window(store_url: str) -> None:
    async with governing(store_url, count=3) as governors:
        sent: list[float] = []

        async def asking(governor: Governor, pause: float) -> None:
            while True:
                await turn(governor)
                sent.append(time.monotonic())
                await asyncio.sleep(pause)

        rates = zip(governors, (0.0, 0.02, 0.5), strict=True)
        tasks = [asyncio.create_task(asking(*rate)) for rate in rates for _ in range(3)]
        await asyncio.sleep(2.5 * MINUTE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most_in_a_window(sent, MINUTE) <= 40
        assert len(sent) >= 1.2 * 40  # and what is allowed is used


@on_loop
async def test_turns_of_all_models_keep_to_the_rate_of_the_api(store_url: str) -> None:
    rates = AccountRates(api_requests_per_five_minutes=12, queue_seconds=0.4)
    async with governing(store_url, rates) as (governor,):
        outcomes = await asyncio.gather(*(turn(governor, model=model) for model in "ab" * 10), return_exceptions=True)
        assert sum(isinstance(outcome, float) for outcome in outcomes) <= 12
        refused = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
        assert "12 requests per five minutes" in refused[0].message


@on_loop
async def test_waiting_projects_are_served_by_weight_whatever_their_load(store_url: str) -> None:
    async with governing(store_url, replace(RATES, requests_per_minute=200, queue_length=1_000)) as (governor,):
        served: Counter[str] = Counter()

        async def ask(project: str, weight: int) -> None:
            await turn(governor, project, weight=weight)
            served[project] += 1

        await asyncio.gather(*(turn(governor) for _ in range(50)))  # the burst
        tasks = [asyncio.create_task(ask("busy", 1)) for _ in range(400)]
        tasks += [asyncio.create_task(ask("calm", 3)) for _ in range(120)]
        await until(lambda: sum(served.values()) >= 80)
        assert served["calm"] / sum(served.values()) == pytest.approx(0.75, abs=0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert governor.queued == 0


@on_loop
async def test_queue_is_bounded_per_project_and_in_time(store_url: str) -> None:
    rates = AccountRates(requests_per_minute=1, queue_seconds=0.3, queue_length=2)
    async with governing(store_url, rates) as (governor,):
        assert await turn(governor) < 0.3
        waiting = [asyncio.create_task(turn(governor)) for _ in range(2)]
        await until(lambda: governor.queued == 2)
        with pytest.raises(RateLimited) as caught:
            await turn(governor)
        assert "as many requests as may wait" in caught.value.message
        assert caught.value.details == {"scope": "account", "kind": "requests", "window": "minute", "limit": 1}
        other = asyncio.create_task(turn(governor, "q"))  # another project has a line of its own
        for task in (*waiting, other):
            with pytest.raises(RateLimited) as caught:
                await task
            assert "did not come in time" in caught.value.message
        assert governor.queued == 0


@on_loop
async def test_turn_not_used_is_the_next_ones(store_url: str) -> None:
    rates = AccountRates(requests_per_minute=1, queue_seconds=2.0)
    async with governing(store_url, rates) as (governor,):
        await turn(governor)
        waiting = asyncio.create_task(turn(governor))
        await until(lambda: governor.queued)
        governor.give_back("a", 1)
        assert await waiting < 2.0


@on_loop
async def test_leaving_the_queue_takes_no_permit_along(store_url: str) -> None:
    rates = AccountRates(requests_per_minute=1, queue_seconds=2.0)
    async with governing(store_url, rates) as (governor,):
        await turn(governor)
        leaving, staying = asyncio.create_task(turn(governor)), asyncio.create_task(turn(governor))
        await until(lambda: governor.queued == 2)
        leaving.cancel()
        governor.give_back("a", 1)
        assert await staying < 2.0
        assert leaving.cancelled()


@on_loop
async def test_request_of_several_calls_is_not_starved_by_single_ones(store_url: str) -> None:
    async with governing(store_url, replace(RATES, queue_length=1_000)) as (governor,):
        await asyncio.gather(*(turn(governor) for _ in range(10)))
        many = asyncio.create_task(turn(governor, "q", calls=5))
        await until(lambda: governor.queued)
        singles = [asyncio.create_task(turn(governor)) for _ in range(200)]
        assert await many < MINUTE
        for task in singles:
            task.cancel()
        await asyncio.gather(*singles, return_exceptions=True)


@on_loop
async def test_full_names_the_models_whose_rate_is_used_up(store_url: str) -> None:
    async with governing(store_url, AccountRates(requests_per_minute=4, queue_seconds=0.2)) as (governor,):
        await asyncio.gather(*(turn(governor) for _ in range(9)), return_exceptions=True)
        assert governor.full() == {"a"}


@on_loop
async def test_adopt_takes_the_models_own_rate_and_remembers_what_was_used(store_url: str) -> None:
    own = Catalog({**MODELS, "a": replace(MODELS["a"], requests_per_minute=2)}, {}, {})
    rates = AccountRates(requests_per_minute=100, queue_seconds=0.2)
    async with governing(store_url, rates, catalog=own) as (governor,):
        await turn(governor)
        governor.adopt(rates, own)
        outcomes = await asyncio.gather(*(turn(governor) for _ in range(4)), return_exceptions=True)
        assert sum(isinstance(outcome, float) for outcome in outcomes) <= 1
        governor.adopt(AccountRates(), CATALOG)
        assert await turn(governor) == 0.0


@on_loop
async def test_turns_without_the_store_keep_to_what_was_allowed_last(store_url: str) -> None:
    layout = fresh_layout()
    store = RedisStore(store_url, layout)
    governor = Governor(store, layout, "w", AccountRates(requests_per_minute=8, queue_seconds=0.2), CATALOG, minute=1.0)
    await governor.share()
    await store.close()
    running = asyncio.create_task(governor.run())
    sent = []
    for _ in range(30):
        try:
            await turn(governor)
        except RateLimited:
            continue
        sent.append(time.monotonic())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(sent) >= 2  # the reserve, again in each window
    assert most_in_a_window(sent, 1.0) <= 8


@on_loop
async def test_workers_that_all_want_more_get_on_by_what_they_lack(store_url: str) -> None:
    rates = replace(RATES, requests_per_minute=160, queue_length=1_000)
    async with governing(store_url, rates, count=2) as governors:
        served: Counter[int] = Counter()

        async def asking(number: int) -> None:
            while True:
                await turn(governors[number])
                served[number] += 1

        tasks = [asyncio.create_task(asking(number)) for number in (*[0] * 30, *[1] * 10)]
        await until(lambda: sum(served.values()) >= 50)  # the burst
        served.clear()
        await until(lambda: sum(served.values()) >= 100)
        assert served[0] / sum(served.values()) == pytest.approx(0.75, abs=0.12)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
