"""The ASGI side of a request: bodies however they come, keys wherever clients put them, leaving clients."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.upstreams import on_loop
from support.worker import asking, running_worker

from gateway.core.errors import BodyTooLarge, InvalidKey, StoreAway
from gateway.relay import AsgiEvent, ClientGone, Exchange, Headers, Scope, bearer_token


class Wire:
    """Both directions of one ASGI exchange: events to be received, and those that were sent."""

    def __init__(self, events: Sequence[AsgiEvent], headers: Headers | None = None) -> None:
        self.events = list(events)
        self.sent: list[AsgiEvent] = []
        self.scope: Scope = {"type": "http", "headers": headers or []}
        self.more = asyncio.Event()

    async def receive(self) -> AsgiEvent:
        while not self.events:
            self.more.clear()
            await self.more.wait()
        return self.events.pop(0)

    async def send(self, event: AsgiEvent) -> None:
        self.sent.append(event)

    def leave(self) -> None:
        self.events.append({"type": "http.disconnect"})
        self.more.set()

    def exchange(self) -> Exchange:
        return Exchange(self.scope, self.receive, self.send)


def pieces(*bodies: bytes) -> list[AsgiEvent]:
    last = len(bodies) - 1
    return [{"type": "http.request", "body": body, "more_body": number < last} for number, body in enumerate(bodies)]


def read(wire: Wire, limit: int) -> bytes:
    return asyncio.run(wire.exchange().read_body(limit))


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=6), st.integers(0, 30))
def test_read_body_in_any_pieces_is_whole_or_too_large(bodies: list[bytes], limit: int) -> None:
    whole = b"".join(bodies)
    if len(whole) <= limit:
        assert read(Wire(pieces(*bodies)), limit) == whole
    else:
        with pytest.raises(BodyTooLarge):
            read(Wire(pieces(*bodies)), limit)


def test_read_body_declared_too_large_is_refused_before_reading() -> None:
    wire = Wire(pieces(b"x"), [(b"content-length", b"11")])
    with pytest.raises(BodyTooLarge):
        read(wire, 10)
    assert len(wire.events) == 1


@pytest.mark.parametrize("declared", [b"", b"-1", b"x", b"\xb2", b"1e3"])
def test_read_body_declaration_that_is_no_number_decides_nothing(declared: bytes) -> None:
    assert read(Wire(pieces(b"abc"), [(b"content-length", declared)]), 10) == b"abc"


@pytest.mark.parametrize("events", [[], pieces(b"a", b"b")[:1]])
def test_read_body_client_leaving_in_it_is_client_gone(events: list[AsgiEvent]) -> None:
    wire = Wire(events)
    wire.events.append({"type": "http.disconnect"})
    with pytest.raises(ClientGone):
        read(wire, 10)


def test_watch_disconnect_cancels_the_work() -> None:
    async def story() -> bool:
        wire = Wire([])
        exchange = wire.exchange()
        work = asyncio.create_task(asyncio.Event().wait())
        exchange.watch(work.cancel)
        await asyncio.sleep(0)
        wire.events.append({"type": "http.request", "body": b""})  # whatever else a server may say
        wire.leave()
        await asyncio.wait([work])
        return exchange.is_gone and work.cancelled()

    assert asyncio.run(story())


def test_close_leaving_afterwards_is_none() -> None:
    async def story() -> bool:
        wire = Wire([])
        exchange = wire.exchange()
        work = asyncio.create_task(asyncio.sleep(0.01))
        exchange.watch(work.cancel)
        exchange.close()
        exchange.close()
        wire.leave()
        await work
        return exchange.is_gone

    assert not asyncio.run(story())


def test_refuse_is_one_whole_answer_in_the_envelope() -> None:
    wire = Wire([])
    exchange = wire.exchange()
    asyncio.run(exchange.refuse(StoreAway("gone", retry_after=2), [(b"x-request-id", b"req_1")]))
    start, body = wire.sent
    assert start["status"] == 503
    assert dict(start["headers"]) == {
        b"content-type": b"application/json",
        b"retry-after": b"2",
        b"retry-after-ms": b"2000",
        b"x-request-id": b"req_1",
        b"content-length": b"%d" % len(body["body"]),
    }
    assert not body.get("more_body")
    assert exchange.is_committed


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([(b"authorization", b"Bearer sk-1")], "sk-1"),
        ([(b"authorization", b"bearer   sk-1 ")], "sk-1"),
        ([(b"x-api-key", b"sk-2")], "sk-2"),
        ([(b"api-key", b" sk-3 ")], "sk-3"),
        ([(b"authorization", b"Basic abc"), (b"api-key", b"sk-3")], "sk-3"),
        ([(b"authorization", b"Bearer sk-1"), (b"x-api-key", b"sk-2")], "sk-1"),
        ([(b"authorization", b"Bearer "), (b"x-api-key", b"sk-2")], "sk-2"),
        ([(b"api-key", b"sk-3"), (b"x-api-key", b"sk-2")], "sk-2"),
        ([(b"authorization", b"Bearer sk-1"), (b"authorization", b"Bearer sk-9")], "sk-1"),
        ([(b"authorization", b"Bearer \xe9")], "\xe9"),
    ],
)
def test_bearer_token_table(headers: Headers, token: str) -> None:
    assert bearer_token({"headers": headers}) == token


@pytest.mark.parametrize("headers", [[], [(b"authorization", b"Bearer")], [(b"x-api-key", b"  ")]])
def test_bearer_token_nowhere_is_an_invalid_key(headers: Headers) -> None:
    with pytest.raises(InvalidKey):
        bearer_token({"headers": headers})


def test_header_first_of_a_name_or_none() -> None:
    exchange = Wire([], [(b"a", b"1"), (b"b", b"\xe9"), (b"a", b"2")]).exchange()
    assert (exchange.header(b"a"), exchange.header(b"b"), exchange.header(b"c")) == ("1", "\xe9", None)


@on_loop
async def test_body_chunked_and_slow_is_read(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {worker.key}\r\n"
        writer.write(head.encode() + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        body = worker.http.build_request("POST", "/", json=asking("Reply with the single word: pong")).content
        for start in range(0, len(body), 7):
            piece = body[start : start + 7]
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"pong" in answer
        assert len(await worker.rows(1)) == 1


@pytest.mark.parametrize("is_chunked", [False, True])
@on_loop
async def test_body_too_large_is_413_and_costs_nothing(store_url: str, is_chunked: bool) -> None:
    async def content() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b" " * 1000

    async with running_worker(store_url, server={"max_body_bytes": 2000}) as worker:
        body = content() if is_chunked else b" " * 2001
        answer = await worker.request("POST", "/v1/chat/completions", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
        assert await worker.rows(0) == []
        assert (await worker.ask("hello")).status_code == 200


@on_loop
async def test_stream_of_many_reads_is_relayed_to_its_end(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        body = asking("x [[sim: tokens=20000]]", stream=True, max_tokens=20_000)
        async with worker.connection(body) as client:
            seen = await client.until(b"[DONE]")
        assert seen.count(b'"content":" word') > 100
        (row,) = await worker.rows(1)
        assert row.end_reason in ("stop", "length")
