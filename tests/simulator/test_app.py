"""The edge: credentials, routes, and the free endpoints, over real HTTP."""

import httpx2
import pytest
from support.simulated import FP8, Caller, asking, calling

from gateway.simulator import Limits, SimulatorOptions

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic simulator-token", "simulator-token"])
async def test_app_with_a_wrong_token_answers_10000(caller: Caller, authorization: str) -> None:
    response = await caller.post(asking("hi"), authorization=authorization)
    assert response.status_code == 401
    assert response.json() == {
        "result": None,
        "success": False,
        "errors": [{"code": 10000, "message": "Authentication error"}],
        "messages": [],
    }
    assert "cf-ai-req-id" not in response.headers
    assert response.headers["cf-ray"]


async def test_app_with_a_wrong_account_answers_10000(caller: Caller) -> None:
    url = caller.simulator.run_url(FP8).replace(caller.simulator.account_id, "0" * 32)
    assert (await caller.client.post(url, json=asking("hi"))).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/client/v4/accounts/A/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8", 400, 7000),
        ("POST", "/client/v4/accounts/A/ai/walk/@cf/x", 400, 7000),
        ("POST", "/client/v4/accounts/A/ai/run/@cf/a%20b", 400, 7000),
        ("POST", "/elsewhere", 400, 7000),
    ],
)
async def test_app_without_a_route_answers_7000(caller: Caller, method: str, path: str, status: int, code: int) -> None:
    response = await caller.client.request(method, caller.simulator.origin + path)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (status, code)


async def test_app_lists_its_models(caller: Caller) -> None:
    url = f"{caller.simulator.base_url}/accounts/{caller.simulator.account_id}/ai/models/search"
    assert FP8 in [entry["name"] for entry in (await caller.client.get(url)).json()["result"]]
    assert (await caller.client.get(url, headers={"authorization": "Bearer no"})).status_code == 401


async def test_app_answers_the_analytics_with_what_was_used(caller: Caller) -> None:
    await caller.ask("hi")
    groups = "aiInferenceAdaptiveGroups(limit:9){dimensions{modelId} sum{totalNeurons}}"
    query = f"{{viewer{{accounts(filter:{{accountTag:$a}}){{{groups}}}}}}}"
    answer = await caller.client.post(f"{caller.simulator.base_url}/graphql", json={"query": query})
    (row,) = answer.json()["data"]["viewer"]["accounts"][0]["aiInferenceAdaptiveGroups"]
    assert row["dimensions"] == {"modelId": FP8}
    assert row["sum"]["totalNeurons"] == pytest.approx(caller.last.neurons)
    broken = await caller.client.post(f"{caller.simulator.base_url}/graphql", content=b"{")
    assert broken.json()["errors"]


async def test_app_past_the_api_limit_blocks_every_route() -> None:
    async with calling(SimulatorOptions(limits=Limits(per_five_minutes=2))) as caller:
        assert [(await caller.ask("hi")).status_code for _ in range(3)] == [200, 200, 429]
        url = f"{caller.simulator.base_url}/accounts/{caller.simulator.account_id}/ai/models/search"
        assert (await caller.client.get(url)).json()["errors"][0]["code"] == 971
        caller.simulator.advance_clock(301)
        assert (await caller.ask("hi")).status_code == 200


def gateway_url(caller: Caller, model: str = FP8, infix: str = "") -> str:
    return f"{caller.simulator.origin}/v1/{caller.simulator.account_id}/main/workers-ai/{infix}{model}"


@pytest.mark.parametrize("infix", ["", "run/"])
async def test_app_as_gateway_host_caches_the_same_body(caller: Caller, infix: str) -> None:
    url = gateway_url(caller, infix=infix)
    first = await caller.client.post(url, json=asking("hi"))
    second = await caller.client.post(url, json=asking("hi"))
    assert [answer.headers["cf-aig-cache-status"] for answer in (first, second)] == ["MISS", "HIT"]
    assert first.json() == second.json()
    assert (caller.last.end, caller.last.neurons) == ("cached", 0)
    caller.simulator.advance_clock(301)
    assert (await caller.client.post(url, json=asking("hi"))).headers["cf-aig-cache-status"] == "MISS"


async def test_app_as_gateway_host_uses_its_own_envelopes(caller: Caller) -> None:
    quota = await caller.client.post(gateway_url(caller), json=asking("hi [[sim:error=4006]]"))
    assert quota.json()["internalCode"] == 4006
    assert quota.json()["requestId"] in quota.json()["message"]
    own = await caller.client.post(gateway_url(caller), json=asking("hi [[sim:error=2045]]"))
    assert own.json()["error"][0]["code"] == 2045
    like_openai = await caller.client.post(gateway_url(caller), json=asking("hi [[sim:error=2021]]"))
    assert like_openai.json()["error"]["type"] == "gateway_error"
    stranger = await caller.client.post(gateway_url(caller), json=asking("x"), headers={"authorization": "Bearer x"})
    assert stranger.json()["internalCode"] == 2009


async def test_app_tells_its_health_to_anybody(caller: Caller) -> None:
    async with httpx2.AsyncClient(trust_env=False) as other:
        assert (await other.get(f"{caller.simulator.origin}/simulator/healthz")).json() == {"status": "ok"}
