"""The official SDKs, newest Python 3.x and 2.x and Node, each in its own environment, against the running product."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.gateway import ADMIN_KEY, GatewayProcess
from support.needs import need

HERE = Path(__file__).parent


def node_binary() -> str | None:
    """Node 22 from the package's own dependencies, else the system's."""
    own = sorted((HERE / "node" / "node_modules").glob("node-*/bin/node"))
    return str(own[0]) if own else shutil.which("node")


def command(sdk: str) -> list[str]:
    if sdk == "python 3":
        return [sys.executable, str(HERE / "sdk_scenarios.py")]
    if sdk == "python 2":
        interpreter = os.environ.get("GATEWAY_OPENAI2_PYTHON", "")
        return [
            need(interpreter, "an environment with openai 2.x (GATEWAY_OPENAI2_PYTHON)"),
            str(HERE / "sdk_scenarios.py"),
        ]
    need(
        (HERE / "node" / "node_modules" / "openai").is_dir(),
        "the openai package for Node (npm install in tests/e2e/node)",
    )
    return [need(node_binary(), "Node"), str(HERE / "node" / "scenarios.mjs")]


@pytest.fixture(scope="module", params=["python 3", "python 2", "node"])
def results(request: pytest.FixtureRequest, product: GatewayProcess) -> dict[str, Any]:
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": product.base_url,
        "OPENAI_API_KEY": product.key,
        "OPENAI_ADMIN_KEY": ADMIN_KEY,
        "NO_PROXY": "127.0.0.1",
    }
    run = subprocess.run(
        command(request.param), env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_sdk_complete_has_text_finish_and_the_rows_usage(results: dict[str, Any], product: GatewayProcess) -> None:
    answer = results["complete"]
    row = product.row(answer["request_id"])
    assert answer["text"]
    assert answer["finish"] == "stop"
    assert answer["usage"] == [row["prompt_tokens"], row["completion_tokens"]]
    assert row["usage_source"] == "reported"


def test_sdk_stream_has_one_finish_and_no_unasked_usage(results: dict[str, Any]) -> None:
    assert results["stream"]["text"] == results["complete"]["text"]
    assert results["stream"]["finishes"] == ["stop"]
    assert results["stream"].get("roles", ["assistant"]) == ["assistant"]
    assert not results["stream"].get("usages")


def test_sdk_stream_with_usage_has_it_once_and_equal(results: dict[str, Any]) -> None:
    assert results["stream_with_usage"]["usages"] == [results["complete"]["usage"]]


def test_sdk_stream_accumulated_is_a_whole_message(results: dict[str, Any]) -> None:
    message = results["stream_accumulated"]
    assert (message["role"], message["finish"]) == ("assistant", "stop")
    assert message["text"] == results["complete"]["text"]


def test_sdk_tools_are_called_and_their_result_answered(results: dict[str, Any]) -> None:
    tools = results["tools"]
    assert (tools["finish"], tools["names"], tools["second"]) == ("tool_calls", ["get_weather"], "stop")


def test_sdk_parallel_calls_arrive_whole_and_apart(results: dict[str, Any]) -> None:
    found = results["parallel_tools"]
    assert (found["names"], found["distinct"]) == (["get_weather", "get_weather"], 2)
    assert found["arguments"] == [True, True]


def test_sdk_parse_gets_what_its_schema_says(results: dict[str, Any]) -> None:
    assert results["parse"]["is_weather"] is True


def test_sdk_models_are_listed_and_retrieved_by_an_id_with_slashes(results: dict[str, Any]) -> None:
    assert "auto" in results["models"]["listed"]
    assert results["models"]["retrieved"] == "@cf/meta/llama-3.1-8b-instruct-fp8"


def test_sdk_errors_are_the_expected_classes(results: dict[str, Any]) -> None:
    expected = {
        "wrong_key": ["AuthenticationError", 401, "invalid_api_key", None],
        "unknown_model": ["NotFoundError", 404, "model_not_found", None],
        "empty_messages": ["BadRequestError", 400, "empty_array", "messages"],
        "bad_role": ["BadRequestError", 400, "invalid_value", "messages[0].role"],
        "bad_temperature": ["BadRequestError", 400, "decimal_above_max_value", "temperature"],
        "too_long": ["BadRequestError", 400, "context_length_exceeded", "messages"],
        "upstream_busy": ["InternalServerError", 503, "server_is_overloaded", None],
        "unknown_url": ["NotFoundError", 404, "unknown_url", None],
    }
    found = {name: entry[:4] for name, entry in results["errors"].items()}
    assert found == {name: expected[name] for name in found}
    assert len(found) >= 4


def test_sdk_admin_client_makes_projects_and_keys_that_work(results: dict[str, Any]) -> None:
    admin = results["admin"]
    assert admin["listed"] is True
    assert admin["answered"] in {"stop", "length"}
    assert admin.get("revoked", "invalid_api_key") == "invalid_api_key"
