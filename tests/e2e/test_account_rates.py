"""The account's rates kept by a whole worker: projects share the wait by weight, and the upstream never refuses."""

import asyncio
import time
from collections import Counter

import pytest
from support.upstreams import on_loop
from support.worker import FAST, FP8, RunningWorker, asking, running_worker, until

from gateway.core.records import Rules
from gateway.simulator import SimulatorOptions
from gateway.simulator.options import Limits

PER_MINUTE = 600
ACCOUNT = {"requests_per_minute": PER_MINUTE, "queue_seconds": 30}
ONE_MODEL = {"auto": {"models": [FP8], "max_attempts": 1}}


async def second_key(worker: RunningWorker, rules: Rules) -> str:
    """A key of another project, which has these rules."""
    first = worker.project, worker.key
    await worker.make_key()
    await worker.set_rules(rules)
    key = worker.key
    worker.project, worker.key = first
    return key


@pytest.mark.parametrize("weight", [1, 3])
@on_loop
async def test_projects_at_ten_to_one_get_their_weights_and_the_upstream_refuses_nobody(
    store_url: str, weight: int
) -> None:
    options = SimulatorOptions(seed=1, limits=Limits(per_minute=PER_MINUTE))
    async with running_worker(store_url, options, account=ACCOUNT, routes=ONE_MODEL) as worker:
        calm = await second_key(worker, Rules(queue_weight=weight))
        answered: Counter[str] = Counter()
        statuses: Counter[int] = Counter()
        is_over = asyncio.Event()

        async def ask(key: str) -> None:
            headers = {"authorization": f"Bearer {key}"}
            while not is_over.is_set():
                body = asking("hi [[sim: tokens=1]]", "auto")
                answer = await worker.http.post("/v1/chat/completions", json=body, headers=headers)
                answered[key] += 1
                statuses[answer.status_code] += 1

        callers = [asyncio.create_task(ask(key)) for key in (*[worker.key] * 40, *[calm] * 4)]
        await until(lambda: sum(answered.values()) > PER_MINUTE // 4 + 20)  # the burst is over
        answered.clear()
        await asyncio.sleep(8)
        counted = Counter(answered)
        is_over.set()
        await asyncio.gather(*callers)
        share = counted[calm] / sum(counted.values())
        assert share == pytest.approx(weight / (weight + 1), rel=0.2)  # four clients may be late, never too early
        assert statuses.keys() == {200}
        assert all(call.status == 200 for call in worker.upstream.record.calls)


@on_loop
async def test_request_that_waits_holds_nothing_and_says_how_long_it_waited(store_url: str) -> None:
    account = {"requests_per_minute": 4, "queue_seconds": 0.5, "queue_length": 1}
    async with running_worker(store_url, account=account, routes=ONE_MODEL) as worker:
        assert "x-gateway-queued-ms" not in (await worker.ask("hello", "auto")).headers
        waiting = asyncio.create_task(worker.ask("hello", "auto"))
        await until(lambda: worker.app._governor.queued)
        assert worker.ledger.live == {}
        away = await worker.ask("hello", "auto")  # no more may wait
        assert (away.status_code, away.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert away.json()["gateway"] == {"scope": "account", "kind": "requests", "window": "minute", "limit": 4}
        assert int(away.headers["retry-after"]) >= 1
        assert (await waiting).status_code == 429
        assert worker.upstream.record.total == 1
        assert len(await worker.rows(1)) == 1


@on_loop
async def test_wait_is_in_header_and_row_and_not_in_the_overhead(store_url: str) -> None:
    async with running_worker(store_url, account={"requests_per_minute": 60}, routes=ONE_MODEL) as worker:
        answers = await asyncio.gather(*(worker.ask("hello", "auto") for _ in range(17)))
        waits = [int(answer.headers.get("x-gateway-queued-ms", 0)) for answer in answers]
        assert max(waits) >= 500
        rows = await worker.rows(17)
        assert sorted(row.queued_ms for row in rows) == sorted(waits)
        assert all(row.latency_ms >= row.queued_ms for row in rows)


@on_loop
async def test_model_whose_rate_is_used_up_is_passed_over_for_one_that_is_free(store_url: str) -> None:
    routes = {"auto": {"models": [FP8, FAST], "policy": "ordered"}}
    models = {FP8: {"requests_per_minute": 4}}
    async with running_worker(store_url, models=models, routes=routes) as worker:
        answers = [await worker.ask("hello", "auto") for _ in range(6)]
        served = Counter(answer.headers["x-gateway-model"] for answer in answers)
        assert served[FP8] <= 4
        assert served[FAST] >= 2
        said = (await worker.request("POST", "/v1/explain", json=asking("hello", "auto"))).json()
        assert [each["model"] for each in said["candidates"]] == [FAST, FP8]


@on_loop
async def test_client_that_leaves_the_queue_leaves_nothing_behind(store_url: str) -> None:
    account = {"requests_per_minute": 4, "queue_seconds": 20}
    async with running_worker(store_url, account=account, routes=ONE_MODEL) as worker:
        await worker.ask("hello", "auto")
        started = time.monotonic()
        async with worker.connection(asking("hello", "auto")):
            await until(lambda: worker.app._governor.queued)
        await until(lambda: not worker.app._governor.queued)
        assert time.monotonic() - started < 10
        assert len(await worker.rows(1)) == 1
