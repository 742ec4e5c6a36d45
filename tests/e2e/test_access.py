"""What a key may use: said by /v1/models, kept by planning and explaining, and at once when the rules change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from support.upstreams import on_loop
from support.worker import FAST, FP8, RunningWorker, asking, running_worker

from gateway.core.records import Rules

ROUTES = {
    "auto": {"models": [FP8, FAST], "policy": "ordered", "fallback_for_pinned": True},
    "reading": {"models": [FAST]},
}


@asynccontextmanager
async def restricted(store_url: str, rules: Rules) -> AsyncIterator[tuple[RunningWorker, openai.AsyncOpenAI]]:
    """A worker whose project has these rules, and a client of it."""
    async with running_worker(store_url, routes=ROUTES, aliases={"gpt-4o": "auto"}) as worker:
        await worker.set_rules(rules)
        async with openai.AsyncOpenAI(api_key=worker.key, base_url=f"{worker.url}/v1", max_retries=0) as client:
            yield worker, client


@on_loop
async def test_allowed_models_are_all_that_is_listed_asked_and_fallen_back_to(store_url: str) -> None:
    async with restricted(store_url, Rules(allowed_models=(FP8,))) as (worker, client):
        assert {entry.id async for entry in client.models.list()} == {"auto", FP8}
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve(FAST)
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await client.chat.completions.create(model=FAST, messages=[{"role": "user", "content": "hi"}])
        assert (caught.value.code, caught.value.type) == ("model_not_found", "invalid_request_error")
        assert f"does not have access to model `{FAST}`" in caught.value.message
        said = (await worker.request("POST", "/v1/explain", json=asking("hi", "auto"))).json()
        assert [(each["model"], each["obstacle"]) for each in said["excluded"]] == [(FAST, "access")]
        worker.upstream.set_scenario('{"rules": [{"match": {}, "set": {"error": 3040}}]}')
        for name in ("auto", FP8):
            assert (await worker.ask("hi", name)).status_code == 503
        assert {call.model for call in worker.upstream.record.calls} == {FP8}


@on_loop
async def test_allowed_routes_are_all_that_may_be_asked_for(store_url: str) -> None:
    async with restricted(store_url, Rules(allowed_routes=("auto",), default_route="gpt-4o")) as (worker, client):
        listed = {entry.id: entry async for entry in client.models.list()}
        assert set(listed) == {"auto"}
        assert listed["auto"].model_dump()["is_default"] is True
        for name, status in (("auto", 200), ("gpt-4o", 200), ("reading", 403), (FP8, 403)):
            assert (await worker.ask("hi", name)).status_code == status
        body = asking("hi")
        del body["model"]
        answer = await worker.request("POST", "/v1/chat/completions", json=body)
        assert (answer.status_code, answer.headers["x-gateway-route"]) == (200, "auto")
        said = await worker.request("POST", "/v1/explain", json=body)
        assert said.json()["route"] == "auto"


@on_loop
async def test_rules_that_changed_since_they_were_cached_make_another_plan(store_url: str) -> None:
    async with restricted(store_url, Rules()) as (worker, _):
        assert (await worker.ask("hi", "auto")).headers["x-gateway-model"] == FP8
        await worker.set_rules(Rules(allowed_models=(FAST,)))
        answer = await worker.ask("hi", "auto")
        assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, FAST)
        await worker.set_rules(Rules(allowed_routes=("reading",)))
        assert (await worker.ask("hi", "auto")).status_code == 403
        assert [call.model for call in worker.upstream.record.calls] == [FP8, FAST]
        assert len(await worker.rows(2)) == 2
