"""Every row of the security page's table of limits, gone beyond on the real thing.

`PROOFS` says which test goes beyond which row; a row without one fails, and so does a test that is not there.
"""

import ast
import asyncio
import json
import re
import resource
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import uvicorn
from support.certificates import make_certificate
from support.gateway import GatewayProcess, gateway
from support.raw_http import answers
from support.running import wait_until
from support.sources import ROOT

from gateway.relay import Receive, Scope, Send
from gateway.simulator import Simulator
from gateway.supervise.certificate import create_context
from gateway.supervise.protocol import BoundedConfig, BoundedProtocol
from gateway.supervise.worker_process import _KEEP_ALIVE_SECONDS

HERE: Final = "tests/e2e/test_limits_with_numbers.py"
PROOFS: Final = {
    "request line and headers": f"{HERE}::test_headers_beyond_the_limit",
    "one request, from its first byte to its last": f"{HERE}::test_request_that_takes_too_long",
    "a connection that says nothing": f"{HERE}::test_connections_that_say_nothing",
    "body": f"{HERE}::test_body_beyond_the_limit",
    "depth of JSON": f"{HERE}::test_json_deeper_than_the_limit",
    "messages in a request": f"{HERE}::test_request_beyond_a_number",
    "tools, and calls in one turn": f"{HERE}::test_request_beyond_a_number",
    "choices (`n`)": f"{HERE}::test_request_beyond_a_number",
    "stop strings": f"{HERE}::test_request_beyond_a_number",
    "name of a model": f"{HERE}::test_request_beyond_a_number",
    "an answer, all attempts together": f"{HERE}::test_answer_that_takes_too_long",
    "an upstream answer read whole": "tests/contract/test_client.py::test_answer_beyond_the_limit_is_malformed",
    "upstream calls at a time, per worker": f"{HERE}::test_upstream_calls_beyond_the_number_wait",
    "a TLS handshake": f"{HERE}::test_tls_handshake_that_does_not_come",
    "streams and other requests at a time, per key, project or organisation": (
        "tests/e2e/test_limit_storms.py::test_storm_on_concurrency_never_runs_more_at_once"
    ),
    "open connections": f"{HERE}::test_connections_beyond_the_open_files",
    "spending, requests and tokens": "tests/e2e/test_limit_storms.py::test_storm_on_money_for_ten_never_overspends",
}
HELLO: Final = [{"role": "user", "content": "Hello"}]
SECONDS: Final = 1
TOTAL_SECONDS: Final = 4
BUSY: Final = 60  # seconds of the quick loop: two of a machine that has other things to do


def test_every_row_of_the_page_has_its_proof() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition("## Limits")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", page)[1:]
    assert [row for row in rows if row != "---"] == list(PROOFS)
    for proof in PROOFS.values():
        file, _, name = proof.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, upstream: Simulator) -> Iterator[GatewayProcess]:
    """A gateway with little patience and one upstream connection."""
    with gateway(
        tmp_path_factory.mktemp("hasty"),
        upstream,
        server=f"request_seconds: {SECONDS}",
        extra=f"  total_seconds: {TOTAL_SECONDS}\n  max_connections: 1\n",
    ) as started:
        yield started


def _connect(product: GatewayProcess) -> socket.socket:
    host, _, port = product.origin.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def _say(product: GatewayProcess, data: bytes) -> tuple[int, bool]:
    """The status of the answer, and whether the gateway hung up after it."""
    said = b""
    with _connect(product) as connection:
        connection.sendall(data)
        while piece := connection.recv(65536):
            said += piece
    ((status, _),) = answers(said)
    return status, True


def test_headers_beyond_the_limit(product: GatewayProcess) -> None:
    def head(size: int) -> bytes:
        begun = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: "
        return begun + b"a" * (size - len(begun) - 4) + b"\r\n\r\n"

    assert _say(product, head(65_000)) == (200, True)
    assert _say(product, head(65_700)) == (431, True)


def test_body_beyond_the_limit(product: GatewayProcess) -> None:
    most = 4_194_304
    begun, ended = b'{"model":"auto","messages":[{"role":"user","content":"hi"}],"metadata":{"a":"', b'"}}'
    assert product.chat(begun + b"a" * (most - len(begun) - len(ended)) + ended).status_code == 400  # of the metadata
    assert product.chat(begun + b"a" * (most - len(begun) - len(ended) + 1) + ended).status_code == 413
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer %s\r\n"
    declared = head % product.key.encode() + b"content-length: %d\r\n\r\n" % (most + 1)
    assert _say(product, declared) == (413, True)  # before anything of it was read


def _tools(count: int) -> dict[str, Any]:
    tools = [
        {"type": "function", "function": {"name": f"f{n}", "parameters": {"type": "object"}}} for n in range(count)
    ]
    return {"messages": HELLO, "tools": tools}


def _calls(count: int) -> list[dict[str, Any]]:
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in range(count)]
    results = [{"role": "tool", "tool_call_id": f"c{n}", "content": "x"} for n in range(count)]
    return [*HELLO, {"role": "assistant", "content": None, "tool_calls": calls}, *results]


def _nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        found = {"type": "object", "properties": {"a": found}}
    return found


def _schema(depth: int) -> dict[str, Any]:
    tool = {"type": "function", "function": {"name": "f", "parameters": _nested(depth)}}
    return {"messages": HELLO, "tools": [tool]}


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        ({"messages": HELLO * 2048}, {"messages": HELLO * 2049}),
        (_tools(128), _tools(129)),
        ({"messages": _calls(128)}, {"messages": _calls(129)}),
        ({"messages": HELLO, "n": 8}, {"messages": HELLO, "n": 9}),
        ({"messages": HELLO, "stop": list("wxyz")}, {"messages": HELLO, "stop": list("vwxyz")}),
        ({"messages": HELLO, "model": "m" * 256}, {"messages": HELLO, "model": "m" * 257}),
        (_schema(45), _schema(55)),
    ],
    ids=["messages", "tools", "calls", "choices", "stops", "model", "schema"],
)
def test_request_beyond_a_number(product: GatewayProcess, within: dict[str, Any], beyond: dict[str, Any]) -> None:
    accepted = product.chat({"model": "auto", "max_tokens": 5, **within})
    assert accepted.status_code == (404 if "model" in within else 200), accepted.text
    refused = product.chat({"model": "auto", "max_tokens": 5, **beyond})
    assert refused.status_code == 400, refused.text
    assert refused.json()["error"]["param"]


@pytest.mark.parametrize("depth", [1_001, 100_000])
def test_json_deeper_than_the_limit(product: GatewayProcess, depth: int) -> None:
    deep = (
        b'{"model":"auto","metadata":'
        + b"[" * depth
        + b"]" * depth
        + b',"messages":'
        + json.dumps(HELLO).encode()
        + b"}"
    )
    assert product.chat(deep).status_code == 400


@pytest.mark.parametrize(
    "begun", [b"GET /healthz HT", b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"]
)
def test_request_that_takes_too_long(hasty: GatewayProcess, begun: bytes) -> None:
    with _connect(hasty) as connection:
        connection.sendall(begun)
        said = b""
        while piece := connection.recv(65536):
            said += piece
    assert [status for status, _ in answers(said)] in ([408], [401])  # the body's: nobody without a key is waited for


def test_connections_that_say_nothing(hasty: GatewayProcess) -> None:
    with _connect(hasty) as connection:
        assert connection.recv(1) == b""
    assert 74 < _idle_seconds(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") < 75 + BUSY


def test_tls_handshake_that_does_not_come(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    assert 59 < _idle_seconds(b"", create_context(certificate, key)) < 60 + BUSY


def test_answer_that_takes_too_long(hasty: GatewayProcess) -> None:
    asked = {
        "model": "auto",
        "stream": True,
        "messages": [{"role": "user", "content": "Count to 500 [[sim: pace=0.1]]"}],
    }
    began = time.monotonic()
    answer = hasty.chat(asked)
    assert time.monotonic() - began < TOTAL_SECONDS + 5
    assert '"error"' in answer.text
    assert hasty.row(answer.headers["x-request-id"])["end_reason"] == "cut"


def test_upstream_calls_beyond_the_number_wait(hasty: GatewayProcess) -> None:
    """The only connection is a stream's until its time is over; then it is the next one's."""
    shut = [{"role": "user", "content": "[[sim: gate=none gate_after=1]] x"}]
    slow = {"model": "auto", "stream": True, "messages": shut}
    headers = {"authorization": f"Bearer {hasty.key}"}
    address = f"{hasty.base_url}/chat/completions"
    with httpx2.stream("POST", address, json=slow, headers=headers, trust_env=False, timeout=30) as first:
        assert first.status_code == 200
        began = time.monotonic()
        assert hasty.chat({"model": "auto", "stream": True, "messages": HELLO}).status_code == 200
        assert time.monotonic() - began > TOTAL_SECONDS / 10
        assert '"error"' in first.read().decode()


def test_connections_beyond_the_open_files(tmp_path: Path, upstream: Simulator) -> None:
    """The newest are hung up on; the others are served, and new ones are once there is room."""
    with gateway(tmp_path, upstream) as product:
        (worker,) = product.workers()
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (80, 80))
        connections = [_connect(product) for _ in range(100)]
        try:
            assert _is_served(connections[0])
            assert not _is_served(connections[-1])
        finally:
            for connection in connections:
                connection.close()
        wait_until(lambda: httpx2.get(f"{product.origin}/healthz", trust_env=False).status_code == 200, "room again")


def _is_served(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        return connection.recv(12).endswith(b"200")
    except ConnectionError:
        return False


class _QuickSelector(selectors.DefaultSelector):
    """Waits 30 times shorter than it is told."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / 30)


class _QuickLoop(asyncio.SelectorEventLoop):
    """An event loop on real sockets whose clock runs 30 times faster."""

    def __init__(self) -> None:
        super().__init__(_QuickSelector())

    def time(self) -> float:
        return time.monotonic() * 30


def _idle_seconds(said: bytes, context: ssl.SSLContext | None = None) -> float:
    """How long the product's protocol, as workers set it up, keeps a connection that says no more than this."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def run() -> float:
        loop = asyncio.get_running_loop()
        config = BoundedConfig(
            app, http=BoundedProtocol, port=0, lifespan="off", log_config=None, timeout_keep_alive=_KEEP_ALIVE_SECONDS
        )
        server = uvicorn.Server(config)
        config.load()
        config.ssl = context
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        try:
            reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
            writer.write(said)
            if said:
                await reader.readuntil(b"\r\n\r\n")
            began = loop.time()
            assert await reader.read() == b""
            writer.close()
            return loop.time() - began
        finally:
            await server.shutdown()

    with asyncio.Runner(loop_factory=_QuickLoop) as runner:
        return runner.run(run())
