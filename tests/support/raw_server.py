"""An HTTP server at the level of its socket: a test says which bytes leave, when, and how the connection ends.

It parses just enough of a request to know where it ends, and keeps every byte of its head for the test to look at.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE_SECONDS = 30.0  # how long a test waits for something that must happen; reached only by a failure


@dataclass(slots=True)
class Exchange:
    """One request and the connection it came on."""

    head: bytes
    body: bytes
    connection: int  # counts accepted connections from 1
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    @property
    def request_line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def header_lines(self) -> list[bytes]:
        return self.head.split(b"\r\n")[1:-2]

    def header(self, name: str) -> str | None:
        """The value of a request header, case-insensitive; None where it is absent."""
        for line in self.header_lines:
            key, _, value = line.decode().partition(":")
            if key.lower() == name:
                return value.strip()
        return None

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, body: bytes, status: str = "200 OK", headers: bytes = b"") -> None:
        """A whole response with a length; the connection stays open."""
        length = str(len(body)).encode()
        head = b"HTTP/1.1 " + status.encode() + b"\r\ncontent-length: " + length + b"\r\n" + headers + b"\r\n"
        await self.send(head + body)

    async def start_stream(self) -> None:
        """The head of a chunked event stream."""
        await self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def send_chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    def close(self) -> None:
        """End the connection in an orderly way (FIN)."""
        self._writer.close()

    def reset(self) -> None:
        """Break the connection at once (RST)."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def peer_closed(self) -> None:
        """Return when the client has closed its side. One of script and test may call it, not both."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                while await self._reader.read(65536):
                    pass
            except ConnectionError:
                return


Script = Callable[[Exchange], Awaitable[None]]


@dataclass(slots=True)
class RawServer:
    """A listening server; `exchanges` are the requests seen so far, in order."""

    script: Script
    port: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def request(self, count: int = 1) -> Exchange:
        """The `count`-th request, as soon as it is there."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.exchanges) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.exchanges[count - 1]

    async def idle(self) -> None:
        """Return when no connection is open any more."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._writers:
                self._left.clear()
                await self._left.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_body_length(head))
                exchange = Exchange(head, body, number, reader, writer)
                self.exchanges.append(exchange)
                self._arrived.set()
                await self.script(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            self._left.set()
            writer.close()

    def abandon(self) -> None:
        """Break every connection that is still open."""
        for writer in list(self._writers):
            writer.transport.abort()


def _body_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


@asynccontextmanager
async def raw_server(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """A server on an ephemeral loopback port that treats every request as `script` says."""
    server = RawServer(script)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        server.abandon()
        await listener.wait_closed()
