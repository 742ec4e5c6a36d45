"""What every upstream client promises, over real sockets. Each adapter runs all of it."""

import asyncio
import socket
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.raw_server import Exchange, raw_server
from support.upstreams import ACCOUNT, TOKEN, connected, on_loop, soon, upstream_settings, within

from gateway.client.account import MAX_REPLY_BYTES
from gateway.client.contract import Client, Reply
from gateway.client.select import create_client
from gateway.core.answer import Failure

MODEL_PATH = "/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8"

pytestmark = pytest.mark.parametrize("name", ["pyreqwest", "httpx2"])


async def answer_ok(exchange: Exchange) -> None:
    await exchange.answer(b'{"success":true}', headers=b"Content-Type: application/json\r\nCF-AI-Neurons: 1.98\r\n")


async def wait_for_peer(exchange: Exchange) -> None:
    await exchange.peer_closed()


@on_loop
async def test_fetch_of_a_json_answer_returns_status_headers_and_body(name: str) -> None:
    async with connected(name, answer_ok) as (_, client):
        reply = await client.fetch(MODEL_PATH, b"{}", soon())
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, b'{"success":true}')
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers.get("cf-ai-neurons") == "1.98"
    assert reply.headers.get("retry-after") is None
    assert dict(reply.headers)["cf-ai-neurons"] == "1.98"


@on_loop
async def test_fetch_on_the_wire_sends_the_path_raw_the_token_and_the_body(name: str) -> None:
    async with connected(name, answer_ok) as (server, client):
        await client.fetch(MODEL_PATH + "?queueRequest=true", b'{"a":1}', soon())
    sent = server.exchanges[0]
    path = f"/client/v4/accounts/{ACCOUNT}{MODEL_PATH}?queueRequest=true"
    assert sent.request_line == f"POST {path} HTTP/1.1".encode()
    assert sent.body == b'{"a":1}'
    assert sent.header("authorization") == f"Bearer {TOKEN}"
    assert sent.header("content-type") == "application/json"
    assert sent.header("host") == f"127.0.0.1:{server.port}"
    assert sent.header("accept-encoding") is None


@on_loop
async def test_get_on_the_wire_is_a_get_without_a_body(name: str) -> None:
    async with connected(name, answer_ok) as (server, client):
        reply = await client.get("/ai/models/search?per_page=100&page=1", soon())
    assert isinstance(reply, Reply)
    expected = f"GET /client/v4/accounts/{ACCOUNT}/ai/models/search?per_page=100&page=1 HTTP/1.1"
    assert server.exchanges[0].request_line == expected.encode()
    assert server.exchanges[0].header("content-length") in (None, "0")


@on_loop
@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("410 Gone", b'{"success":false,"errors":[{"code":5028}]}'),
        ("429 Too Many Requests", b"{}"),
        ("502 Bad Gateway", b"<html>bad gateway</html>"),
        ("500 Internal Server Error", b""),
    ],
)
async def test_fetch_of_an_error_status_returns_it_as_a_reply(name: str, status: str, body: bytes) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(body, status)

    async with connected(name, refuse) as (_, client):
        reply = await client.fetch(MODEL_PATH, b"{}", soon())
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (int(status[:3]), body)


@on_loop
async def test_open_of_an_error_status_is_a_stream_with_that_status_and_body(name: str) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(b"<html>", "503 Service Unavailable", b"content-type: text/html\r\n")

    async with connected(name, refuse) as (_, client):
        stream = await client.open(MODEL_PATH, b"{}", soon())
        assert not isinstance(stream, Failure)
        assert (stream.status, stream.headers["content-type"]) == (503, "text/html")
        assert [await stream.read(), await stream.read()] == [b"<html>", b""]
        await stream.close()


@on_loop
async def test_header_of_a_call_goes_out_with_it_and_only_then(name: str) -> None:
    async with connected(name, answer_ok) as (server, client):
        await client.fetch(MODEL_PATH, b"{}", soon())
        await client.fetch(MODEL_PATH, b"{}", soon(), [("x-session-affinity", "conversation")])
        stream = await client.open(MODEL_PATH, b"{}", soon(), [("x-session-affinity", "another")])
        assert not isinstance(stream, Failure)
        await stream.close()
    sent = [exchange.header("x-session-affinity") for exchange in server.exchanges]
    assert sent == [None, "conversation", "another"]


@on_loop
async def test_redirect_is_not_followed(name: str) -> None:
    async def redirect(exchange: Exchange) -> None:
        await exchange.answer(b"", "307 Temporary Redirect", b"location: /elsewhere\r\n")

    async with connected(name, redirect) as (server, client):
        reply = await client.fetch(MODEL_PATH, b"{}", soon())
    assert isinstance(reply, Reply)
    assert (reply.status, len(server.exchanges)) == (307, 1)


@on_loop
async def test_cookie_of_an_answer_is_not_sent_back(name: str) -> None:
    async def bake(exchange: Exchange) -> None:
        await exchange.answer(b"{}", headers=b"set-cookie: __cf_bm=abc; path=/\r\n")

    async with connected(name, bake) as (server, client):
        await client.fetch(MODEL_PATH, b"{}", soon())
        await client.fetch(MODEL_PATH, b"{}", soon())
    assert [exchange.header("cookie") for exchange in server.exchanges] == [None, None]


@on_loop
async def test_compressed_answer_is_handed_on_as_it_came(name: str) -> None:
    async def compress(exchange: Exchange) -> None:
        await exchange.answer(b"\x1f\x8bnot really", headers=b"content-encoding: gzip\r\n")

    async with connected(name, compress) as (_, client):
        reply = await client.fetch(MODEL_PATH, b"{}", soon())
    assert isinstance(reply, Reply)
    assert reply.body == b"\x1f\x8bnot really"


@on_loop
async def test_header_that_is_not_utf8_does_not_break_the_others(name: str) -> None:
    async def odd(exchange: Exchange) -> None:
        await exchange.answer(b"{}", headers=b"x-odd: caf\xe9\r\ncf-ray: 1\r\nx-two: a\r\nx-two: b\r\n")

    async with connected(name, odd) as (_, client):
        reply = await client.fetch(MODEL_PATH, b"{}", soon())
    assert isinstance(reply, Reply)
    assert reply.headers.get("cf-ray") == "1"
    assert reply.headers.get("x-odd") in (None, "café")
    assert dict(reply.headers)["x-two"].startswith("a")


@on_loop
async def test_calls_one_after_another_share_a_connection(name: str) -> None:
    async with connected(name, answer_ok) as (server, client):
        for _ in range(3):
            await client.fetch(MODEL_PATH, b"{}", soon())
    assert [exchange.connection for exchange in server.exchanges] == [1, 1, 1]


@on_loop
async def test_stream_read_to_its_end_gives_its_connection_back(name: str) -> None:
    async def stream_two(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.send_chunk(b"data: 1\n\n")
        await exchange.end_stream()

    async with connected(name, stream_two) as (server, client):
        for _ in range(2):
            stream = await client.open(MODEL_PATH, b"{}", soon())
            assert not isinstance(stream, Failure)
            assert [await stream.read(), await stream.read(), await stream.read()] == [b"data: 1\n\n", b"", b""]
            await stream.close()
            await stream.close()
            assert isinstance(await stream.read(), Failure)
    assert [exchange.connection for exchange in server.exchanges] == [1, 1]


@on_loop
async def test_open_returns_the_head_and_each_event_before_the_next_is_sent(name: str) -> None:
    may_go_on = asyncio.Semaphore(0)

    async def dribble(exchange: Exchange) -> None:
        await exchange.start_stream()
        for number in range(3):
            await may_go_on.acquire()
            await exchange.send_chunk(b"data: %d\n\n" % number)
        await may_go_on.acquire()
        await exchange.end_stream()

    async with connected(name, dribble) as (_, client):
        stream = await within(client.open(MODEL_PATH, b"{}", soon()))
        assert not isinstance(stream, Failure)
        for number in range(3):
            may_go_on.release()
            assert await within(stream.read()) == b"data: %d\n\n" % number
        may_go_on.release()
        assert await within(stream.read()) == b""
        await stream.close()


@on_loop
async def test_body_dribbled_byte_by_byte_arrives_whole(name: str) -> None:
    async def dribble(exchange: Exchange) -> None:
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello":
            await exchange.send(bytes([byte]))
            await asyncio.sleep(0)

    async with connected(name, dribble) as (_, client):
        reply = await client.fetch(MODEL_PATH, b"{}", soon())
    assert isinstance(reply, Reply)
    assert reply.body == b"hello"


async def close_before_head(exchange: Exchange) -> None:
    exchange.close()


async def reset_before_head(exchange: Exchange) -> None:
    exchange.reset()


async def close_inside_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-le")
    exchange.close()


async def answer_garbage(exchange: Exchange) -> None:
    await exchange.send(b"220 smtp.example.org ESMTP\r\n\r\n")
    exchange.close()


async def answer_endless_header(exchange: Exchange) -> None:
    await exchange.answer(b"{}", headers=b"x-long: " + b"v" * 2_000_000 + b"\r\n")


BROKEN_HEADS: list[tuple[Callable[[Exchange], Awaitable[None]], str]] = [
    (close_before_head, "cut"),
    (reset_before_head, "cut"),
    (close_inside_head, "cut"),
    (answer_garbage, "malformed"),
    (answer_endless_header, "malformed"),
]


@on_loop
@pytest.mark.parametrize(("script", "kind"), BROKEN_HEADS)
async def test_connection_that_breaks_before_the_head_is_no_connect_failure_and_is_not_repeated(
    name: str, script: Callable[[Exchange], Awaitable[None]], kind: str
) -> None:
    async with connected(name, script) as (server, client):
        fetched = await client.fetch(MODEL_PATH, b"{}", soon())
        opened = await client.open(MODEL_PATH, b"{}", soon())
    assert isinstance(fetched, Failure)
    assert isinstance(opened, Failure)
    assert (fetched.kind, opened.kind) == (kind, kind)
    assert ACCOUNT not in fetched.message + opened.message
    assert len(server.exchanges) == 2


@on_loop
async def test_reused_connection_closed_on_receipt_is_cut_and_not_repeated(name: str) -> None:
    async def answer_once(exchange: Exchange) -> None:
        await (answer_ok if exchange.body == b"first" else close_before_head)(exchange)

    async with connected(name, answer_once) as (server, client):
        await client.fetch(MODEL_PATH, b"first", soon())
        second = await client.fetch(MODEL_PATH, b"second", soon())
    assert isinstance(second, Failure)
    assert second.kind == "cut"
    assert [exchange.connection for exchange in server.exchanges] == [1, 1]


@on_loop
async def test_idle_connection_the_server_closed_is_replaced_before_anything_is_sent(name: str) -> None:
    async def answer_and_close(exchange: Exchange) -> None:
        await answer_ok(exchange)
        exchange.close()
        await exchange.peer_closed()  # the client has seen it

    async with connected(name, answer_and_close) as (server, client):
        for _ in range(3):
            assert isinstance(await client.fetch(MODEL_PATH, b"{}", soon()), Reply)
            await server.idle()
    assert [exchange.connection for exchange in server.exchanges] == [1, 2, 3]


async def cut_after_head(exchange: Exchange) -> None:
    await exchange.start_stream()
    exchange.close()


async def cut_between_chunks(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.send_chunk(b"data: 1\n\n")
    exchange.close()


async def cut_inside_a_chunk(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.send(b"20\r\ndata: 1\n\n")
    exchange.close()


async def cut_before_the_promised_length(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ndata: 1\n\n")
    exchange.close()


@on_loop
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (cut_after_head, b""),
        (cut_between_chunks, b"data: 1\n\n"),
        (cut_inside_a_chunk, b"data: 1\n\n"),
        (cut_before_the_promised_length, b"data: 1\n\n"),
    ],
)
async def test_stream_that_breaks_gives_what_came_and_then_cut(
    name: str, script: Callable[[Exchange], Awaitable[None]], expected: bytes
) -> None:
    async with connected(name, script) as (_, client):
        stream = await client.open(MODEL_PATH, b"{}", soon())
        assert not isinstance(stream, Failure)
        received = b""
        while isinstance(part := await stream.read(), bytes) and part:
            received += part
        assert isinstance(part, Failure)
        assert (part.kind, received) == ("cut", expected)
        assert ACCOUNT not in part.message
        await stream.close()
        whole = await client.fetch(MODEL_PATH, b"{}", soon())
    assert isinstance(whole, Failure)
    assert whole.kind == "cut"


@on_loop
async def test_silence_until_the_deadline_is_first_byte_timeout_and_closes_the_connection(name: str) -> None:
    async with connected(name, wait_for_peer, first_byte_seconds=0.1, read_seconds=0.1) as (server, client):
        fetched = await client.fetch(MODEL_PATH, b"{}", soon(0.1))
        opened = await client.open(MODEL_PATH, b"{}", soon(0.1))
        await server.idle()
    assert isinstance(fetched, Failure)
    assert isinstance(opened, Failure)
    assert (fetched.kind, opened.kind) == ("first_byte_timeout", "first_byte_timeout")


@on_loop
async def test_deadline_already_past_is_first_byte_timeout(name: str) -> None:
    async with connected(name, wait_for_peer) as (_, client):
        fetched = await client.fetch(MODEL_PATH, b"{}", soon(-1.0))
        opened = await client.open(MODEL_PATH, b"{}", soon(-1.0))
    assert isinstance(fetched, Failure)
    assert isinstance(opened, Failure)
    assert (fetched.kind, opened.kind) == ("first_byte_timeout", "first_byte_timeout")


async def stall_after_one_event(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.send_chunk(b"data: 1\n\n")
    await exchange.peer_closed()


@on_loop
async def test_whole_answer_that_stalls_behind_its_head_is_cut_at_the_deadline(name: str) -> None:
    async with connected(name, stall_after_one_event) as (server, client):
        reply = await client.fetch(MODEL_PATH, b"{}", soon(0.1))
        await server.idle()
    assert isinstance(reply, Failure)
    assert reply.kind in ("cut", "first_byte_timeout")


@on_loop
async def test_stream_that_stalls_is_cut_and_its_connection_closed(name: str) -> None:
    async with connected(name, stall_after_one_event, read_seconds=0.05) as (server, client):
        stream = await client.open(MODEL_PATH, b"{}", soon())
        assert not isinstance(stream, Failure)
        assert await stream.read() == b"data: 1\n\n"
        stalled = await within(stream.read())
        await server.idle()
        await stream.close()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
    assert isinstance(stalled, Failure)
    assert stalled.kind == "cut"


@on_loop
async def test_read_limit_is_no_limit_for_the_head(name: str) -> None:
    async def think(exchange: Exchange) -> None:
        await asyncio.sleep(0.15)
        await answer_ok(exchange)

    async with connected(name, think, read_seconds=0.05) as (_, client):
        assert isinstance(await client.fetch(MODEL_PATH, b"{}", soon()), Reply)
        stream = await client.open(MODEL_PATH, b"{}", soon())
        assert not isinstance(stream, Failure)
        await stream.close()


@on_loop
async def test_closing_an_open_stream_closes_the_upstream_connection(name: str) -> None:
    async with connected(name, stall_after_one_event) as (server, client):
        stream = await client.open(MODEL_PATH, b"{}", soon())
        assert not isinstance(stream, Failure)
        await stream.read()
        await stream.close()
        await server.idle()


@on_loop
async def test_task_cancelled_in_a_read_closes_the_upstream_connection(name: str) -> None:
    async with connected(name, stall_after_one_event) as (server, client):
        has_event = asyncio.Event()

        async def relay() -> None:
            stream = await client.open(MODEL_PATH, b"{}", soon())
            assert not isinstance(stream, Failure)
            try:
                while await stream.read():
                    has_event.set()
            finally:
                await stream.close()

        task = asyncio.create_task(relay())
        await within(has_event.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(task)
        await server.idle()


@on_loop
@pytest.mark.parametrize("action", ["fetch", "open"])
async def test_task_cancelled_before_the_head_closes_the_connection_when_the_head_comes_at_the_latest(
    name: str, action: str
) -> None:
    is_cancelled = asyncio.Event()

    async def begin_to_answer(exchange: Exchange) -> None:
        await is_cancelled.wait()
        await stall_after_one_event(exchange)

    async with connected(name, begin_to_answer) as (server, client):
        act = client.fetch if action == "fetch" else client.open
        task = asyncio.create_task(act(MODEL_PATH, b"{}", soon(0.5 if action == "fetch" else 10)))
        await server.request()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(task)
        is_cancelled.set()
        await server.idle()


class LateServer:
    """Answers one request a piece at a time without the test's loop, so that pieces arrive while that stands."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._connection: socket.socket | None = None
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def send(self, piece: bytes) -> None:
        if self._connection is None:
            self._connection, _ = self._listener.accept()
            self._connection.settimeout(10)
            while not self._connection.recv(65_536).endswith(b"{}"):
                pass
        self._connection.sendall(piece)

    def is_left(self) -> bool:
        """Waits for the client to close the connection."""
        return self._connection is not None and self._connection.recv(1) == b""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@contextmanager
def late_server() -> Iterator[LateServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        with closing(LateServer(listener)) as server:
            yield server


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"


@on_loop
@pytest.mark.parametrize(
    ("action", "pieces", "last"),
    [("open", (), HEAD), ("open", (HEAD,), b"event"), ("fetch", (HEAD,), b"event")],
    ids=["head", "event", "part of a whole answer"],
)
async def test_task_cancelled_in_the_moment_in_which_something_arrives_is_cancelled_and_its_connection_closed(
    name: str, action: str, pieces: tuple[bytes, ...], last: bytes
) -> None:
    async def call(client: Client) -> None:
        if action == "fetch":
            await client.fetch(MODEL_PATH, b"{}", soon(1))
            return
        stream = await client.open(MODEL_PATH, b"{}", soon(1))
        assert not isinstance(stream, Failure)
        try:
            while await stream.read():
                pass
        finally:
            await stream.close()

    for _ in range(5):  # a client with a thread of its own may choose by chance which of the two it saw first
        with late_server() as server:
            client = create_client(upstream_settings(server.url, client=name, first_byte_seconds=1.0, read_seconds=1.0))
            task = asyncio.create_task(call(client))
            for piece in pieces:
                await asyncio.to_thread(server.send, piece)
            await asyncio.sleep(0.05)  # until the client has read that and waits
            server.send(last)
            time.sleep(0.05)  # noqa: ASYNC251  the loop stands while the client's own thread, where it has one, reads
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await within(task)
            assert await asyncio.to_thread(server.is_left)
            await client.close()


@on_loop
async def test_nobody_listening_is_a_connect_failure(name: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = create_client(upstream_settings(f"http://127.0.0.1:{unused.getsockname()[1]}", client=name))
        fetched = await client.fetch(MODEL_PATH, b"{}", soon())
        opened = await client.open(MODEL_PATH, b"{}", soon())
        await client.close()
    assert isinstance(fetched, Failure)
    assert isinstance(opened, Failure)
    assert (fetched.kind, opened.kind) == ("connect", "connect")
    assert ACCOUNT not in fetched.message + opened.message


@on_loop
async def test_no_connection_within_connect_seconds_is_a_connect_failure(name: str) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    fillers = [socket.socket() for _ in range(4)]  # a full backlog: the kernel drops further SYNs
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
    client = create_client(upstream_settings(f"http://127.0.0.1:{port}", client=name, connect_seconds=0.1))
    failed = await client.fetch(MODEL_PATH, b"{}", soon())
    await client.close()
    for opened in [listener, *fillers]:
        opened.close()
    assert isinstance(failed, Failure)
    assert failed.kind == "connect"


@on_loop
async def test_no_free_connection_is_a_connect_failure_because_nothing_was_sent(name: str) -> None:
    async with connected(name, stall_after_one_event, max_connections=1, connect_seconds=0.1) as (server, client):
        stream = await client.open(MODEL_PATH, b"{}", soon())
        assert not isinstance(stream, Failure)
        second = await client.open(MODEL_PATH, b"{}", soon())
        await stream.close()
        assert len(server.exchanges) == 1
    assert isinstance(second, Failure)
    assert second.kind == "connect"


@on_loop
async def test_answer_beyond_the_limit_is_malformed(name: str) -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.start_stream()
        for _ in range(MAX_REPLY_BYTES // 1_048_576 + 1):
            await exchange.send_chunk(bytes(1_048_576))
        await exchange.end_stream()

    async with connected(name, flood) as (_, client):
        reply = await client.fetch(MODEL_PATH, b"{}", soon())
    assert isinstance(reply, Failure)
    assert reply.kind == "malformed"


@on_loop
async def test_loopback_upstream_is_never_reached_through_a_proxy(name: str) -> None:
    async with raw_server(answer_ok) as proxy, connected(name, answer_ok, proxy=proxy.url) as (server, client):
        assert isinstance(await client.fetch(MODEL_PATH, b"{}", soon()), Reply)
        assert (len(server.exchanges), len(proxy.exchanges)) == (1, 0)


@on_loop
async def test_other_upstream_is_reached_through_the_proxy_only(name: str) -> None:
    async with raw_server(answer_ok) as proxy:
        settings = upstream_settings("http://upstream.invalid", client=name, proxy=proxy.url)
        client = create_client(settings)
        assert isinstance(await client.fetch(MODEL_PATH, b"{}", soon()), Reply)
        await client.close()
    path = f"http://upstream.invalid/client/v4/accounts/{ACCOUNT}{MODEL_PATH}"
    assert proxy.exchanges[0].request_line == f"POST {path} HTTP/1.1".encode()
    assert proxy.exchanges[0].header("host") == "upstream.invalid"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1; beside it its key.pem and a bundle.pem with more than it."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=upstream"
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    files = ["-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run([*command.split(), *extensions, *files], cwd=folder, check=True, capture_output=True)
    text = (folder / "certificate.pem").read_text()
    (folder / "bundle.pem").write_text(f"# a comment\n{text}\n# another\n{text}")
    return folder / "certificate.pem"


@on_loop
async def test_tls_upstream_is_trusted_through_the_ca_file_and_refused_without_it(name: str, certificate: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    bundle = certificate.with_name("bundle.pem")
    async with raw_server(answer_ok, tls=tls) as server:
        url = server.url.replace("http:", "https:")
        trusting = create_client(upstream_settings(url, client=name, ca_file=str(bundle)))
        assert isinstance(await trusting.fetch(MODEL_PATH, b"{}", soon()), Reply)
        await trusting.close()
        doubting = create_client(upstream_settings(url, client=name))
        refused = await doubting.fetch(MODEL_PATH, b"{}", soon())
        await doubting.close()
    assert isinstance(refused, Failure)
    assert refused.kind == "connect"


@on_loop
async def test_calls_at_the_same_time_get_their_own_answers(name: str) -> None:
    async def echo(exchange: Exchange) -> None:
        await exchange.answer(exchange.body)

    async with connected(name, echo) as (_, client):
        replies = await asyncio.gather(*(client.fetch(MODEL_PATH, b"%d" % n, soon()) for n in range(50)))
    assert [reply.body for reply in replies if isinstance(reply, Reply)] == [b"%d" % n for n in range(50)]
