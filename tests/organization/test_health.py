"""How things stand, over HTTP, of a whole worker that has seen a model retire and another one fail."""

import json

from support.upstreams import on_loop
from support.worker import FP8, running_worker

from gateway.fleet.breakers import FAILURES
from gateway.fleet.health import CONFIRMATIONS

FAST = "@cf/meta/llama-3.1-8b-instruct-fast"


@on_loop
async def test_health_tells_models_routes_and_books(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.ask("Count to 20", model="auto", stream=True)
        found = await worker.admin("GET", "/health")
        assert {model["status"] for model in found["models"]} <= {"active", "deprecated"}
        assert any(model["tokens_per_second"] for model in found["models"])
        assert [route["name"] for route in found["routes"]] == ["auto"]
        assert (found["stopped"], found["books"]["drift"]) == (None, 0)
        worker.upstream.set_scenario(json.dumps({"retired": [FP8]}))
        for _ in range(CONFIRMATIONS):
            await worker.ask("hi", model=FP8)
        for _ in range(FAILURES):
            await worker.ask("hi [[sim: error=500]]", model=FAST)
        models = {model["id"]: model for model in (await worker.admin("GET", "/health"))["models"]}
        assert (models[FP8]["status"], models[FP8]["retired_at"] is not None) == ("retired", True)
        assert models[FAST]["status"] == "resting"
        assert models[FAST]["resting_until"] >= found["created_at"]


@on_loop
async def test_health_is_for_administrators(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        assert (await worker.request("GET", "/v1/organization/health")).status_code == 401
