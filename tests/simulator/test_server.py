"""A simulator inside a test and as a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from support.running import ROOT, free_port, wait_until
from support.simulated import FP8, Caller, asking

from gateway.simulator import BadSwitch, SimulatorOptions, running


@pytest.mark.anyio
async def test_running_gives_two_simulators_their_own_ports_and_secrets() -> None:
    async with running() as first, running() as second:
        assert first.origin != second.origin
        offsets = [(each.record.prompt_offset, each.record.completion_offset) for each in (first, second)]
        assert all(1 <= prompt <= 500 and 1 <= completion <= 50 for prompt, completion in offsets)


@pytest.mark.anyio
async def test_running_ends_while_a_call_is_open() -> None:
    async with running() as simulator:
        client = httpx2.AsyncClient(headers={"authorization": f"Bearer {simulator.api_token}"}, trust_env=False)
        request = client.build_request(
            "POST", simulator.run_url(FP8), json=asking("count to 9 [[sim:stall_after=1]]", stream=True)
        )
        response = await client.send(request, stream=True)
    with pytest.raises(httpx2.TransportError):
        await response.aread()
    await client.aclose()
    assert simulator.record.running == {}


@pytest.mark.anyio
async def test_running_with_a_broken_scenario_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("rules: [{set: {nope: 1}}]")
    with pytest.raises(BadSwitch):
        async with running(SimulatorOptions(scenario=path)):
            raise AssertionError("it started")


@pytest.mark.anyio
async def test_running_with_a_scenario_file_and_a_record_file(tmp_path: Path) -> None:
    scenario, record = tmp_path / "scenario.yaml", tmp_path / "calls.jsonl"
    scenario.write_text("rules: [{match: {nth: 1}, set: {text: from the file}}]")
    async with running(SimulatorOptions(scenario=scenario, record_path=record)) as simulator:
        headers = {"authorization": f"Bearer {simulator.api_token}"}
        async with httpx2.AsyncClient(headers=headers, trust_env=False) as client:
            answer = await Caller(simulator, client).ask("hi")
    assert answer.json()["result"]["response"] == "from the file"
    (line,) = record.read_text().splitlines()
    assert json.loads(line)["prompt_tokens"] == answer.json()["result"]["usage"]["prompt_tokens"]


def test_serve_as_a_process_answers_and_ends_on_sigterm() -> None:
    port = free_port()
    command = [sys.executable, "-m", "gateway.simulator", "--port", str(port), "--pace", "0", "--limits"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        with httpx2.Client(trust_env=False) as client:

            def is_alive() -> bool:
                try:
                    return client.get(f"http://127.0.0.1:{port}/simulator/healthz").status_code == 200
                except httpx2.TransportError:
                    return False

            wait_until(is_alive, "the simulator answers")
            defaults = SimulatorOptions()
            url = f"http://127.0.0.1:{port}/client/v4/accounts/{defaults.account_id}/ai/run/{FP8}"
            headers = {"authorization": f"Bearer {defaults.api_token}"}
            assert client.post(url, json=asking("ping"), headers=headers).json()["result"]["response"] == "pong"
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert f"simulated Workers AI on http://127.0.0.1:{port}/client/v4" in errors
    assert "Traceback" not in errors


def test_main_with_a_missing_scenario_exits_2() -> None:
    command = [sys.executable, "-m", "gateway.simulator", "--scenario", "/nonexistent.yaml"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 2
    assert "/nonexistent.yaml" in ended.stderr
