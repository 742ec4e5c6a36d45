"""SIGKILL for everything, right after the client saw its last byte: after the restart the row is there, once."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from support.gateway import GatewayProcess, kill_all
from support.valkey import ThrowAwayStore

from gateway.simulator import Simulator


def chat_and_kill(product: GatewayProcess, store: ThrowAwayStore | None, stream: bool) -> str:
    """One answer read by a bare socket, and SIGKILLs right behind its last byte. The id of the request."""
    host, port = product.origin.removeprefix("http://").split(":")
    body: dict[str, Any] = {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "Count to 9"}]}
    data = json.dumps(body).encode()
    victims = product.pids()
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {product.key}\r\n"
            f"content-length: {len(data)}\r\n\r\n".encode()
            + data
        )
        seen = b""
        while (b"[DONE]" if stream else b'"service_tier"') not in seen:
            seen += connection.recv(65536)
        kill_all(victims)
        if store is not None:
            store.kill()
    assert product.process is not None
    product.process.wait()
    product.process = None
    return seen.partition(b"x-request-id: ")[2].split(b"\r\n")[0].decode()


@pytest.mark.parametrize("kind", ["embedded", "external"])
def test_kill_of_everything_after_the_last_byte_loses_and_doubles_nothing(
    tmp_path: Path, upstream: Simulator, kind: str
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    store = ThrowAwayStore(folder) if kind == "external" else None
    if store is not None:
        store.start()
    product = GatewayProcess(tmp_path, upstream, store.url if store else "embedded")
    try:
        product.start()
        answered = []
        for stream in (True, False, True, False):
            answered.append(chat_and_kill(product, store, stream))
            if store is not None:
                store.start()
            product.start()
        rows = {request_id: product.row(request_id) for request_id in answered}
        assert sorted(row["id"] for row in product.rows()) == sorted(rows)
        assert {row["usage_source"] for row in rows.values()} == {"reported"}
        usage = product.admin("GET", "/usage/completions", params={"start_time": int(time.time()) - 86_400, "limit": 3})
        counted = sum(entry["num_model_requests"] for bucket in usage["data"] for entry in bucket["results"])
        assert counted == len(answered)
    finally:
        product.stop()
        if store is not None:
            store.kill()


def test_kill_of_a_worker_mid_stream_leaves_an_estimated_row_within_its_hold(
    tmp_path: Path, upstream: Simulator
) -> None:
    product = GatewayProcess(tmp_path, upstream)
    try:
        product.start()
        assert product.process is not None
        workers = product.workers()
        host, port = product.origin.removeprefix("http://").split(":")
        content = "Count to 900 [[sim: pace=0.05]]"
        body = {"model": "auto", "stream": True, "max_tokens": 700, "messages": [{"role": "user", "content": content}]}
        data = json.dumps(body).encode()
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {product.key}\r\n"
                f"content-length: {len(data)}\r\n\r\n".encode()
                + data
            )
            seen = b""
            while seen.count(b"data: ") < 4:
                seen += connection.recv(65536)
            kill_all(workers)
        request_id = seen.partition(b"x-request-id: ")[2].split(b"\r\n")[0].decode()
        row = product.row(request_id, seconds=60)
        assert (row["end_reason"], row["usage_source"]) == ("expired", "estimated")
        assert 0 < row["completion_tokens"] <= 700
        assert product.chat({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}).status_code == 200
    finally:
        product.stop()
