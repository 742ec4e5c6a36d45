"""HTTP as bytes on a real socket: what the server's protocol makes of them, what an independent reader makes of them.

The product's protocol serves one end of a socket pair on the running loop; h11 reads the same bytes for comparison.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import h11
from uvicorn.server import ServerState

from gateway.relay import Receive, Scope, Send
from gateway.supervise.protocol import BoundedConfig, BoundedProtocol

_IDLE_TURNS: Final = 6  # of the loop without any news: whatever was sent has been read, served and answered

Request = tuple[str, bytes, bytes]
"""Method, path as sent, body."""


@dataclass(slots=True)
class Heard:
    """What came of some bytes: requests served whole, and everything that was said back."""

    requests: list[Request] = field(default_factory=list)
    said: bytes = b""
    is_closed: bool = False

    @property
    def statuses(self) -> list[int]:
        """Of the answers, in order."""
        return [status for status, _ in answers(self.said)]


def answers(said: bytes) -> list[tuple[int, bytes]]:
    """Status and body of a row of answers, each with its length; the last may not be whole yet and is left out.

    Raises AssertionError for anything else between them.
    """
    found: list[tuple[int, bytes]] = []
    while said:
        head, end, rest = said.partition(b"\r\n\r\n")
        line, fields = read_head(head)
        assert line.startswith(b"HTTP/1.1 "[: len(line)]), f"no answer: {said!r}"
        length = 0 if rest.startswith(b"HTTP/1.1 ") else int(fields.get(b"content-length", 0))  # 0: to HEAD
        if not end or len(rest) < length:
            break
        if line.split()[1] != b"100":
            found.append((int(line.split()[1]), rest[:length]))
        said = rest[length:]
    return found


def read_head(head: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The first line, and the fields by lower-case names."""
    line, *fields = head.split(b"\r\n")
    return line, {name.lower(): value.strip() for name, _, value in (each.partition(b":") for each in fields)}


def serve_bytes(pieces: Sequence[bytes]) -> Heard:
    """What the product's protocol does with them, a piece at a time."""
    return asyncio.run(_serve(pieces))


async def _serve(pieces: Sequence[bytes]) -> Heard:
    heard = Heard()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body += event["body"]
            if not event["more_body"]:
                break
        heard.requests.append((scope["method"], scope["raw_path"], body))
        answer = b"" if scope["method"] == "HEAD" else b"ok"
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]}
        )
        await send({"type": "http.response.body", "body": answer})

    loop = asyncio.get_running_loop()
    config = BoundedConfig(app, http=BoundedProtocol, loop="asyncio", lifespan="off", log_config=None)
    config.load()
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(lambda: BoundedProtocol(config, ServerState(), {}), theirs)
        try:
            for piece in pieces:
                await _send(ours, piece)
                await _listen(ours, heard)
        finally:
            transport.abort()
            await asyncio.sleep(0)
    return heard


async def _send(ours: socket.socket, piece: bytes) -> None:
    try:
        await asyncio.get_running_loop().sock_sendall(ours, piece)
    except OSError:
        return  # hung up on


async def _listen(ours: socket.socket, heard: Heard) -> None:
    quiet = 0
    while quiet < _IDLE_TURNS and not heard.is_closed:
        await asyncio.sleep(0)
        before = len(heard.said), len(heard.requests)
        try:
            piece = ours.recv(65536)
        except BlockingIOError:
            piece = None
        except ConnectionError:
            piece = b""
        if piece is not None:
            heard.said += piece
            heard.is_closed = not piece
        quiet = quiet + 1 if before == (len(heard.said), len(heard.requests)) else 0


def read_independently(data: bytes) -> list[Request]:
    """The whole requests h11 finds, up to the first thing it refuses."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    reader.receive_data(data)
    found: list[Request] = []
    method, target, body = "", b"", b""
    try:
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Request):
                method, target, body = event.method.decode(), bytes(event.target), b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                found.append((method, target, body))
                reader.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                reader.send(h11.EndOfMessage())
                reader.start_next_cycle()
            else:
                return found
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        return found
