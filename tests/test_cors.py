"""Which pages may call, what a browser is told, and that nobody else notices."""

import asyncio
from typing import Any

import pytest

from gateway.cors import CrossOrigin, is_preflight
from gateway.relay import AsgiEvent

PAGE = b"https://chat.example"


def _scope(path: str = "/v1/chat/completions", method: str = "POST", **headers: bytes) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return {"type": "http", "path": path, "method": method, "headers": named}


def _preflighted(policy: CrossOrigin, scope: dict[str, Any]) -> tuple[int, dict[bytes, bytes]]:
    sent: list[AsgiEvent] = []

    async def send(event: AsgiEvent) -> None:
        sent.append(event)

    asyncio.run(policy.preflight(scope, send))
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("origins", "path", "origin", "allowed"),
    [
        (("https://chat.example",), "/v1/chat/completions", PAGE, True),
        (("https://chat.example",), "/v1/models", PAGE, True),
        (("https://chat.example",), "/v1/models", b"https://chat.example.evil", False),
        (("https://chat.example",), "/v1/models", b"http://chat.example", False),
        (("https://chat.example",), "/v1/models", b"", False),
        (("*",), "/v1/models", b"null", True),
        (("*",), "/v1/organization/projects", PAGE, False),
        (("*",), "/readyz", PAGE, False),
        (("*",), "/dashboard", PAGE, False),
    ],
)
def test_allows_named_origins_on_the_client_api_only(
    origins: tuple[str, ...], path: str, origin: bytes, allowed: bool
) -> None:
    assert CrossOrigin(origins).allows(_scope(path, origin=origin)) is allowed


def test_preflight_repeats_the_headers_the_sdk_will_send() -> None:
    wanted = b"authorization,content-type,x-stainless-arch,x-stainless-helper-method,user-agent"
    scope = _scope(
        method="OPTIONS", origin=PAGE, access_control_request_method=b"POST", access_control_request_headers=wanted
    )
    assert is_preflight(scope)
    status, headers = _preflighted(CrossOrigin(("*",)), scope)
    assert status == 204
    assert headers[b"access-control-allow-headers"] == wanted
    assert headers[b"access-control-allow-origin"] == PAGE
    assert headers[b"vary"] == b"Origin"
    assert b"access-control-allow-credentials" not in headers


@pytest.mark.parametrize("wanted", [b"x\r\nset-cookie: a", b"a" * 5000, b"\xff"])
def test_preflight_repeats_nothing_that_is_no_list_of_headers(wanted: bytes) -> None:
    scope = _scope(method="OPTIONS", origin=PAGE, access_control_request_headers=wanted)
    assert _preflighted(CrossOrigin(("*",)), scope)[1][b"access-control-allow-headers"] == b""


def test_opened_answer_shows_ids_limits_and_our_own_headers() -> None:
    sent: list[AsgiEvent] = []

    async def send(event: AsgiEvent) -> None:
        sent.append(event)

    async def answer() -> None:
        opened = CrossOrigin(("*",)).opened(_scope(origin=PAGE), send)
        await opened({"type": "http.response.start", "status": 429, "headers": [(b"x-gateway-model", b"m")]})
        await opened({"type": "http.response.body", "body": b"{}"})

    asyncio.run(answer())
    headers = dict(sent[0]["headers"])
    exposed = headers[b"access-control-expose-headers"].decode().split(", ")
    assert {"x-request-id", "retry-after", "retry-after-ms", "x-should-retry", "x-gateway-model"} <= set(exposed)
    assert headers[b"x-gateway-model"] == b"m"
    assert sent[1]["body"] == b"{}"
