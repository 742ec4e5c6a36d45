"""Patience and room on real connections: heads too large, requests too slow, and those that are neither."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from gateway.relay import Receive, Scope, Send
from gateway.supervise.protocol import MAX_HEAD_BYTES, BoundedConfig, BoundedProtocol

Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the size of the body; nothing to somebody who left."""
    if scope["type"] == "lifespan":
        return
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size += len(event["body"])
        if not event["more_body"]:
            break
    body = b"%d" % size
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def _serving(seconds: float) -> AsyncIterator[int]:
    config = BoundedConfig(_echo, http=BoundedProtocol, port=0, lifespan="off", log_config=None)
    config.request_seconds = seconds
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


def _talk(client: Client, seconds: float = 30.0) -> Any:  # what the client found
    async def run() -> Any:  # as above
        async with _serving(seconds) as port, asyncio.timeout(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return await client(reader, writer)
            finally:
                writer.close()

    return asyncio.run(run())


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length"))
    return int(head.split()[1]), await reader.readexactly(length)


@pytest.mark.parametrize("pieces", [1, 40])
def test_head_beyond_the_limit_is_refused_in_the_envelope(pieces: int) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bytes]:
        head = b"GET / HTTP/1.1\r\nhost: a\r\nx-long: " + b"a" * (MAX_HEAD_BYTES + 10_000) + b"\r\n\r\n"
        size = len(head) // pieces + 1
        for start in range(0, len(head), size):
            writer.write(head[start : start + size])
            await writer.drain()
        found = await _answer(reader)
        with contextlib.suppress(ConnectionResetError):  # what it did not read any more
            assert await reader.read() == b"", "one answer, and no more"
        return found

    status, body = _talk(client)
    assert status == 431
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_large_body_in_the_same_read_as_a_small_head_is_no_large_head() -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[tuple[int, bytes]]:
        found = []
        for _ in range(3):
            body = b"b" * 200_000
            writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            found.append(await _answer(reader))
        return found

    assert _talk(client) == [(200, b"200000")] * 3


@pytest.mark.parametrize(
    "begun",
    [b"GET / HT", b"GET / HTTP/1.1\r\nhost: a\r\n", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1234"],
    ids=["line", "headers", "body"],
)
def test_request_that_does_not_end_in_time_is_answered_408(begun: bytes) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bytes]:
        writer.write(begun)
        found = await _answer(reader)
        assert await reader.read() == b""  # and disconnected
        return found

    assert _talk(client, seconds=0.2)[0] == 408


def test_nonsense_is_refused_in_the_envelope_and_hung_up_on() -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bytes]:
        writer.write(b"nonsense\r\n\r\n")
        found = await _answer(reader)
        assert await reader.read() == b""
        return found

    status, body = _talk(client)
    assert status == 400
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("begun", [b"\x00nonsense", b"GET / HT"], ids=["nonsense", "too slow"])
def test_what_comes_behind_a_request_is_never_answered_before_it(begun: bytes) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bytes]:
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc" + begun)
        found = await _answer(reader)
        said = await reader.read()
        assert said == b"" or said.startswith(b"HTTP/1.1 408")
        return found

    assert _talk(client, seconds=0.2) == (200, b"3")


@pytest.mark.parametrize("offer", [b"h2c", b"websocket"])
def test_body_behind_an_offer_to_upgrade_is_read(offer: bytes) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[tuple[int, bytes]]:
        head = (
            b"POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: %s\r\ncontent-length: 3\r\n\r\nabc" % offer
        )
        writer.write(head)
        first = await _answer(reader)
        writer.write(head[:-2])
        await writer.drain()
        writer.write(head[-2:])
        return [first, await _answer(reader)]

    assert _talk(client) == [(200, b"3")] * 2


def test_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async def client(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> bytes:
        return await reader.read()

    assert _talk(client, seconds=0.2) == b""


def test_slow_second_request_on_a_kept_connection_is_answered_408() -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[int]:
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        first = await _answer(reader)
        writer.write(b"GET / HTTP/1.1\r\nho")
        return [first[0], (await _answer(reader))[0]]

    assert _talk(client, seconds=0.5) == [200, 408]


def test_request_that_dribbles_but_ends_in_time_is_served() -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bytes]:
        for byte in b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        return await _answer(reader)

    assert _talk(client) == (200, b"3")
