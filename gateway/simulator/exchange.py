"""One HTTP exchange over raw ASGI: reads the request, notices that the client left, writes, and breaks connections.

Decides nothing. Breaking a connection needs the socket, which `server.SimulatorProtocol` puts into the scope; under
any other server a break falls back to an exception, which closes the connection.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

Message = MutableMapping[str, Any]  # ASGI's own type of scopes and messages
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[str, str]

TRANSPORT = "simulator.transport"
_DROP_SECONDS = 5.0


class TooLarge(Exception):
    """The request body exceeds the limit."""


class ConnectionBroken(Exception):
    """Raised to break a connection under a server that hides its socket."""


class Exchange:
    """A request and the answer to it."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._watcher: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))

    async def body(self, limit: int) -> bytes:
        """The whole request body. Raises TooLarge."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                break
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise TooLarge
            if not message.get("more_body", False):
                break
        return b"".join(parts)

    def watch(self) -> None:
        """From here on `gone` tells that the client has left. Needs the body to have been read."""
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def unwatch(self) -> None:
        """End the watch."""
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the client does."""
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.gone.wait(), seconds)

    async def until(self, happening: Awaitable[object]) -> bool:
        """Wait for something; False, and the something cancelled, where the client leaves first."""
        task = asyncio.ensure_future(happening)
        leaving = asyncio.create_task(self.gone.wait())
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return task.done()
        finally:
            for waiting in (task, leaving):
                waiting.cancel()
            await asyncio.gather(task, leaving, return_exceptions=True)

    async def start(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        """Send a part of the body as one chunk, and let the loop notice a client that left."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await asyncio.sleep(0)

    async def end(self, data: bytes = b"") -> None:
        """Send the last part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, {**headers, "content-length": str(len(body))})
        await self.end(body)

    async def drop(self, *, reset: bool) -> None:
        """Break the connection: with `reset` at once by RST, else by closing after what was written."""
        transport = self._scope.get("extensions", {}).get(TRANSPORT, {}).get(TRANSPORT)
        if transport is None:
            raise ConnectionBroken
        if reset:
            linger = struct.pack("ii", 1, 0)  # on, zero seconds: close() then sends RST instead of FIN
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        else:
            transport.close()
        await self.pause(_DROP_SECONDS)
