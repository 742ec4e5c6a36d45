"""Two gateways over one store: what one learns from the upstream the other knows without asking."""

import asyncio
import json
from typing import Any

from support.upstreams import on_loop
from support.worker import FAST, FP8, PATIENCE_SECONDS, RunningWorker, running_worker, until

ROUTES = {"auto": {"models": [FP8, FAST], "policy": "ordered"}}


def sharing(store_url: str, prefix: str) -> dict[str, Any]:  # sections of a configuration
    return {"store": {"url": store_url, "prefix": prefix}, "routes": ROUTES}


async def status(worker: RunningWorker, model: str) -> str:
    found = (await worker.request("GET", f"/v1/models/{model}")).json()
    return str(found["status"])


@on_loop
async def test_replicas_share_retirement_and_its_announcement(store_url: str) -> None:
    sections = sharing(store_url, "fleet-a:")
    async with running_worker(store_url, **sections) as one, running_worker(store_url, **sections) as other:
        one.upstream.set_scenario(json.dumps({"retired": [FP8]}))
        for _ in range(2):
            assert (await one.ask("hello", "auto")).headers["x-gateway-model"] == FAST
        await until(lambda: FP8 in other.app._fleet.knowledge.learned().retired)
        answer = await other.ask("hello", "auto")
        assert (answer.headers["x-gateway-model"], answer.headers["x-gateway-attempts"]) == (FAST, "1")
        assert [call.model for call in other.upstream.record.calls] == [FAST]
        assert await status(other, FP8) == "retired"


@on_loop
async def test_replicas_share_a_used_up_quota(store_url: str) -> None:
    sections = sharing(store_url, "fleet-b:")
    async with running_worker(store_url, **sections) as one, running_worker(store_url, **sections) as other:
        one.upstream.set_scenario(json.dumps({"rules": [{"match": {}, "set": {"error": 4006}}]}))
        assert (await one.ask("hello", "auto")).status_code == 429
        await until(lambda: other.app._fleet.knowledge.learned().stop)
        refused = await other.ask("hello", "auto")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
        assert other.upstream.record.total == 0


@on_loop
async def test_replica_that_starts_anew_knows_what_was_learned(store_url: str) -> None:
    sections = sharing(store_url, "fleet-c:")
    async with running_worker(store_url, **sections) as one:
        one.upstream.set_scenario(json.dumps({"rules": [{"match": {"model": FP8}, "set": {"window": 24_000}}]}))
        assert (await one.ask("word " * 9_000, FP8, max_tokens=20_000)).status_code == 400
        async with asyncio.timeout(PATIENCE_SECONDS):
            learned = ("HEXISTS", one.layout.shared("fleet"), f"window {FP8}")
            while not await one.store.command(*learned):  # noqa: ASYNC110  # the store tells nobody
                await asyncio.sleep(0.01)
    async with running_worker(store_url, **sections) as later:
        await until(lambda: later.app._fleet.knowledge.learned().windows)
        found = (await later.request("GET", f"/v1/models/{FP8}")).json()
        assert (found["context_window"], found["context_window_source"]) == (24_000, "learned")
