"""The simulator's own endpoints."""

import asyncio

import pytest
from support.simulated import FP8, Caller

pytestmark = pytest.mark.anyio


async def test_record_is_served_and_cleared(caller: Caller) -> None:
    await caller.ask("hi")
    await caller.ask("hi")
    url = f"{caller.simulator.origin}/simulator/record"
    summary = (await caller.client.get(url)).json()
    assert [call["seq"] for call in summary["calls"]] == [1, 2]
    assert summary["prompt_offset"] == caller.simulator.record.prompt_offset
    assert summary["peaks"] == {f"model:{FP8}": 1}
    assert len((await caller.client.get(url, params={"since": "1"})).json()["calls"]) == 1
    assert (await caller.client.delete(url)).json() == {"cleared": True}
    assert (await caller.client.get(url)).json()["calls"] == []


async def test_scenario_is_replaced_read_and_cleared(caller: Caller) -> None:
    url = f"{caller.simulator.origin}/simulator/scenario"
    given = await caller.client.post(url, content=f"rules:\n- set: {{error: 3040}}\nretired: ['{FP8}']\n")
    assert given.status_code == 200
    assert (await caller.client.get(url)).json()["retired"] == [FP8]
    assert (await caller.ask("hi")).status_code == 429
    await caller.client.delete(url)
    assert (await caller.ask("hi")).status_code == 200


async def test_scenario_with_a_mistake_changes_nothing(caller: Caller) -> None:
    response = await caller.client.post(f"{caller.simulator.origin}/simulator/scenario", content="rules: 3")
    assert response.status_code == 400
    assert "rules" in response.json()["error"]


async def test_clock_is_moved(caller: Caller) -> None:
    url = f"{caller.simulator.origin}/simulator/clock"
    before = caller.simulator.state.now()
    assert (await caller.client.post(url, json={"advance": 86_400})).json()["now"] >= before + 86_400
    assert (await caller.client.post(url, json={"back": 1})).status_code == 400


async def test_gates_are_opened_and_closed(caller: Caller) -> None:
    url = f"{caller.simulator.origin}/simulator/gates"
    waiting = asyncio.create_task(caller.ask("hi [[sim:gate=g]]"))
    while (await caller.client.get(url)).json()["waiting"] != {"g": 1}:
        pass
    await caller.client.post(f"{url}/g")
    assert (await waiting).status_code == 200
    assert (await caller.ask("hi [[sim:gate=g]]")).status_code == 200
    await caller.client.delete(f"{url}/g")
    again = asyncio.create_task(caller.ask("hi [[sim:gate=g]]"))
    while (await caller.client.get(url)).json()["waiting"] != {"g": 1}:
        pass
    await caller.client.post(f"{url}/g")
    assert (await again).status_code == 200


async def test_control_without_such_an_endpoint_is_404(caller: Caller) -> None:
    assert (await caller.client.get(f"{caller.simulator.origin}/simulator/nothing")).status_code == 404
