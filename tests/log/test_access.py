"""One line per request, read from the log of a real gateway: what is in it, and what never is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.gateway import ADMIN_KEY, GatewayProcess, gateway, simulator
from support.running import wait_until

from gateway.simulator import Simulator

Line = dict[str, Any]  # a decoded line
SECRET = "the-words-nobody-may-read"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Simulator]:
    with simulator() as started:
        yield started


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, upstream: Simulator) -> Iterator[GatewayProcess]:
    with gateway(tmp_path_factory.mktemp("log"), upstream, extra="log: {format: json}") as started:
        yield started


def asking(text: str, **fields: Any) -> dict[str, Any]:  # any field of a request
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}


def line_of(product: GatewayProcess, answer: httpx2.Response) -> Line:
    """The one line of this answer."""
    request_id = answer.headers["x-request-id"]
    wait_until(lambda: request_id in product.log.read_text(), f"a line for {request_id}")
    lines = [line for line in product.log.read_text().splitlines() if request_id in line]
    assert len(lines) == 1
    found: Line = json.loads(lines[0])
    assert found["id"] == request_id
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_line_says_what_the_row_says(product: GatewayProcess, stream: bool) -> None:
    answer = product.chat(asking(f"Say {SECRET}", stream=stream))
    line = line_of(product, answer)
    row = product.row(answer.headers["x-request-id"])
    assert (line["project"], line["key"]) == (row["project_id"], row["api_key_id"])
    assert (line["model"], line["route"], line["requested_model"]) == (row["model"], "auto", "auto")
    assert (line["prompt_tokens"], line["completion_tokens"]) == (row["prompt_tokens"], row["completion_tokens"])
    assert round(float(line["cost_usd"]) * 1e9) == row["cost_nano"]
    assert (line["status"], line["end"], line["attempts"]) == (200, "stop", 1)
    assert (line["method"], line["path"], line["client"]) == ("POST", "/v1/chat/completions", "127.0.0.1")
    assert ("ttft_ms" in line, line.get("stream", False)) == (stream, stream)
    assert line["level"] == "info"


def test_refusals_have_their_line(product: GatewayProcess) -> None:
    line = line_of(product, product.chat(asking("hi"), "sk-" + "nobody" * 8))
    assert (line["status"], line["error_code"], line.get("key")) == (401, "invalid_api_key", None)
    line = line_of(product, product.chat(asking("hi", model="nothing")))
    assert (line["status"], line["error_type"]) == (404, "invalid_request_error")
    line = line_of(product, product.chat(asking("hi [[sim: error=500]]")))
    assert (line["level"], line["end"]) == ("error", "failed")


def test_other_requests_have_their_line_and_probes_have_none(product: GatewayProcess) -> None:
    def get(path: str) -> httpx2.Response:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        return httpx2.get(f"{product.origin}{path}", headers=headers, trust_env=False)

    assert get("/healthz").status_code == 200
    line = line_of(product, get("/v1/organization/projects"))
    assert (line["path"], line["status"]) == ("/v1/organization/projects", 200)
    assert line_of(product, get("/nothing"))["status"] == 404
    assert "/healthz" not in product.log.read_text()


def test_log_has_no_key_and_no_content(product: GatewayProcess) -> None:
    answer = product.chat(asking(f"Repeat: {SECRET}"))
    line_of(product, answer)
    text = product.log.read_text()
    assert SECRET not in text
    assert product.key not in text
    assert product.key[3:-4] not in text
    assert ADMIN_KEY not in text


@pytest.mark.parametrize("stream", [False, True])
def test_content_is_logged_where_the_project_wants_it(product: GatewayProcess, stream: bool) -> None:
    project, key = product.make_key("open")
    product.admin("POST", f"/projects/{project}", json={"log_content": True})
    answer = product.chat(asking("Reply with the single word: transparency", stream=stream), key)
    line = line_of(product, answer)
    assert line["prompt"][0]["content"] == "Reply with the single word: transparency"
    assert line["answers"] == ["transparency"]


def test_every_line_of_the_log_is_json(product: GatewayProcess) -> None:
    lines = product.log.read_text().splitlines()
    banner = [line for line in lines if not line.startswith("{")]
    assert [line for line in banner if " INFO " in line or " WARNING " in line] == []
    for line in lines:
        if line.startswith("{"):
            assert {"time", "level", "logger"} <= json.loads(line).keys()


def test_console_line_is_for_people(tmp_path: Path, upstream: Simulator) -> None:
    with gateway(tmp_path, upstream) as product:
        answer = product.chat(asking("hi"))
        request_id = answer.headers["x-request-id"]
        wait_until(lambda: request_id in product.log.read_text(), "a line")
        (line,) = [line for line in product.log.read_text().splitlines() if request_id in line]
        assert f"INFO gateway.access: {request_id} POST /v1/chat/completions 200 " in line
        assert f"$ {answer.headers['x-gateway-cost-usd']}".replace("$ ", "$") in line


def test_access_lines_can_be_switched_off(tmp_path: Path, upstream: Simulator) -> None:
    with gateway(tmp_path, upstream, extra="log: {access: false}") as product:
        request_id = product.chat(asking("hi")).headers["x-request-id"]
        product.row(request_id)
        product.stop()
        assert request_id not in product.log.read_text()


def test_last_lines_are_written_before_the_worker_leaves(tmp_path: Path, upstream: Simulator) -> None:
    with gateway(tmp_path, upstream) as product:
        request_id = product.chat(asking("hi")).headers["x-request-id"]
        product.stop()
        assert request_id in product.log.read_text()
