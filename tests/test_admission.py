"""Being admitted: the turn at the account before the hold, and what becomes of the turn where there is no hold."""

import asyncio

from support.upstreams import on_loop
from support.worker import FAST, FP8, asking, running_worker, until

from gateway.core.records import Rules

ONE_TRY = {"auto": {"models": [FP8], "max_attempts": 1}}
ONE_A_MINUTE = {"requests_per_minute": 4, "queue_seconds": 5}


@on_loop
async def test_admit_refused_by_a_limit_gives_its_turn_to_the_next(store_url: str) -> None:
    async with running_worker(store_url, account=ONE_A_MINUTE, routes=ONE_TRY) as worker:
        await worker.limit(0)
        assert (await worker.ask("hello", "auto")).status_code == 429
        await worker.limit(1000)
        answer = await worker.ask("hello", "auto")
        assert answer.status_code == 200
        assert "x-gateway-queued-ms" not in answer.headers
        assert len(await worker.rows(1)) == 1


@on_loop
async def test_admit_by_other_rules_than_planned_gives_the_turn_back(store_url: str) -> None:
    models = {FP8: {"requests_per_minute": 4}}
    routes = {"auto": {"models": [FP8, FAST], "policy": "ordered"}}
    async with running_worker(store_url, models=models, routes=routes) as worker:
        warm = await worker.request("POST", "/v1/explain", json=asking("hello", "auto"))
        assert warm.status_code == 200
        await worker.set_rules(Rules(allowed_models=(FAST,)))
        assert (await worker.ask("hello", "auto")).headers["x-gateway-model"] == FAST
        await worker.set_rules(Rules())
        answer = await worker.ask("hello", "auto")
        assert answer.headers["x-gateway-model"] == FP8
        assert "x-gateway-queued-ms" not in answer.headers


@on_loop
async def test_admit_again_waits_with_its_hold(store_url: str) -> None:
    routes = {"auto": {"models": [FP8], "max_attempts": 2}}
    async with running_worker(store_url, account=ONE_A_MINUTE, routes=routes) as worker:
        worker.upstream.set_scenario("rules: [{match: {nth: 1}, set: {error: 3040}}]")
        asked = asyncio.create_task(worker.ask("hello", "auto"))
        await until(lambda: worker.app._governor.queued)
        assert len(worker.ledger.live) == 1
        worker.app._governor.give_back(FP8, 1)
        answer = await asked
        assert (answer.status_code, answer.headers["x-gateway-attempts"]) == (200, "2")
        (row,) = await worker.rows(1)
        assert [attempt.end for attempt in row.attempts] == ["capacity", "stop"]
