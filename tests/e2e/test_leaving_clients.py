"""Clients that leave: the upstream is closed, and what was used is booked, labelled, once."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from support.gateway import GatewayProcess

from gateway.simulator import Simulator

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"


def leave(product: GatewayProcess, body: dict[str, Any], after: bytes | None) -> None:
    """Send a request, read until `after` is seen (or nothing at all), and hang up."""
    host, port = product.origin.removeprefix("http://").split(":")
    data = json.dumps(body).encode()
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            + f"authorization: Bearer {product.key}\r\ncontent-length: {len(data)}\r\n\r\n".encode()
            + data
        )
        seen = b""
        while after is not None and after not in seen:
            piece = connection.recv(65536)
            assert piece, seen
            seen += piece


def wait_for_row(product: GatewayProcess, before: int) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while len(rows := product.rows()) <= before:
        assert time.monotonic() < deadline, Path(product.log).read_text()
        time.sleep(0.02)
    assert len(rows) == before + 1
    return rows[0]


def wait_for_end(upstream: Simulator, tag: str) -> Any:
    deadline = time.monotonic() + 60
    while True:
        calls = [call for call in upstream.record.calls if call.tag == tag]
        if calls and calls[0].end != "running":
            return calls[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_leaving_mid_stream_closes_the_upstream_and_books_what_was_relayed(
    product: GatewayProcess, upstream: Simulator
) -> None:
    before = len(product.rows())
    content = "Count to 400 [[sim: tag=mid pace=0.02]]"
    leave(product, {"model": FP8, "stream": True, "messages": [{"role": "user", "content": content}]}, b"5")
    row = wait_for_row(product, before)
    call = wait_for_end(upstream, "mid")
    assert call.client_gone
    assert call.events_sent < 400
    assert (row["end_reason"], row["usage_source"]) == ("client_gone", "counted")
    assert row["prompt_tokens"] > 0
    assert 0 < row["completion_tokens"] <= call.events_sent + 5


def test_leaving_before_the_first_token_books_the_prompt(product: GatewayProcess, upstream: Simulator) -> None:
    before = len(product.rows())
    content = "Count to 300 [[sim: tag=early delay=1 pace=0.02]]"
    body = {"model": FP8, "stream": True, "messages": [{"role": "user", "content": content}]}
    host, port = product.origin.removeprefix("http://").split(":")
    data = json.dumps(body).encode()
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {product.key}\r\n"
            f"content-length: {len(data)}\r\n\r\n".encode()
            + data
        )
        deadline = time.monotonic() + 60
        while not any(call.tag == "early" for call in list(upstream.record.running.values())):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    row = wait_for_row(product, before)
    assert (row["end_reason"], row["usage_source"], row["completion_tokens"]) == ("client_gone", "estimated", 0)
    assert wait_for_end(upstream, "early").client_gone


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_after_the_last_byte_is_no_leaving(product: GatewayProcess, stream: bool) -> None:
    before = len(product.rows())
    content = "Reply with the single word: pong"
    after = b"[DONE]" if stream else b"service_tier"
    leave(product, {"model": FP8, "stream": stream, "messages": [{"role": "user", "content": content}]}, after)
    row = wait_for_row(product, before)
    assert (row["end_reason"], row["usage_source"]) == ("stop", "reported")


def test_leaving_before_the_body_is_complete_costs_nothing(product: GatewayProcess) -> None:
    before = len(product.rows())
    host, port = product.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {product.key}\r\n"
            'content-length: 1000\r\n\r\n{"model"'.encode()
        )
    answer = product.chat({"model": FP8, "messages": [{"role": "user", "content": "Hello"}]})
    product.row(answer.headers["x-request-id"])
    assert len(product.rows()) == before + 1
