"""One exchange over ASGI messages, without a server."""

import asyncio
from typing import Any

import pytest

from gateway.simulator.exchange import ConnectionBroken, Exchange, TooLarge

pytestmark = pytest.mark.anyio


def exchange(*messages: Any) -> tuple[Exchange, list[Any]]:
    incoming, sent = list(messages), []

    async def receive() -> Any:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"method": "POST", "path": "/x", "headers": [(b"a", b"b")], "query_string": b"q=1&r="}
    return Exchange(scope, receive, send), sent


def part(body: bytes, *, more: bool) -> Any:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_exchange_reads_head_and_body_in_parts() -> None:
    given, _ = exchange(part(b"ab", more=True), part(b"c", more=False))
    assert (given.headers, given.query) == ({"a": "b"}, {"q": "1", "r": ""})
    assert await given.body(3) == b"abc"


async def test_exchange_refuses_a_body_beyond_the_limit() -> None:
    given, _ = exchange(part(b"abc", more=True), part(b"d", more=False))
    with pytest.raises(TooLarge):
        await given.body(3)


async def test_exchange_notices_a_client_that_left_in_the_body() -> None:
    given, _ = exchange(part(b"ab", more=True), {"type": "http.disconnect"})
    assert await given.body(10) == b"ab"
    assert given.gone.is_set()


async def test_exchange_watch_ends_waits_when_the_client_leaves() -> None:
    given, _ = exchange(part(b"", more=False), {"type": "http.disconnect"})
    await given.body(10)
    given.watch()
    await given.pause(60)
    assert not await given.until(asyncio.Event().wait())
    await given.unwatch()


async def test_exchange_until_tells_that_it_happened() -> None:
    given, _ = exchange()
    assert await given.until(asyncio.sleep(0))


async def test_exchange_replies_with_a_length() -> None:
    given, sent = exchange()
    await given.reply(200, {"x": "y"}, b"body")
    assert sent[0]["headers"] == [(b"x", b"y"), (b"content-length", b"4")]
    assert sent[1] == {"type": "http.response.body", "body": b"body", "more_body": False}


async def test_exchange_without_a_socket_breaks_by_an_exception() -> None:
    given, _ = exchange()
    with pytest.raises(ConnectionBroken):
        await given.drop(reset=True)
