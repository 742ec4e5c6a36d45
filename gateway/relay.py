"""The ASGI side of one request: read its body, notice that the client left, write status, headers and bytes.

It decides nothing about the answer. `send` alone does not tell that a client has gone, so from the end of the body
on a task waits on `receive` and tells when the disconnect comes.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.core.errors import BodyTooLarge, GatewayError, InvalidKey

Scope = MutableMapping[str, Any]  # ASGI's own type: values are of many kinds
AsgiEvent = MutableMapping[str, Any]  # likewise
Receive = Callable[[], Awaitable[AsgiEvent]]
Send = Callable[[AsgiEvent], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON_TYPE = (b"content-type", b"application/json")
SSE_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

_KEY_HEADERS = (b"authorization", b"x-api-key", b"api-key")
_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)


class ClientGone(Exception):
    """The client closed the connection, and nothing more is done for it."""


class Exchange:
    """One HTTP request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.is_committed = False
        self.is_gone = False
        self.is_writing = False
        self.writes = 0  # pieces of the body so far
        self._receive = receive
        self._send = send
        self.stopped: GatewayError | None = None  # why `stop` ended the work
        self._watcher: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """The client's, as the server knows it; empty where it does not."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    def header(self, name: bytes) -> str | None:
        """The first request header of that lower-case name."""
        for key, value in self.scope["headers"]:
            if key == name:
                text: str = value.decode("latin-1")
                return text
        return None

    async def read_body(self, max_bytes: int) -> bytes:
        """The whole body. Raises BodyTooLarge, before reading where the length is declared, and ClientGone."""
        declared = self.header(b"content-length")
        if declared is not None and declared.isdecimal() and int(declared) > max_bytes:
            raise _too_large(max_bytes)
        event = await self._receive()
        if event["type"] == "http.request" and not event.get("more_body"):
            whole: bytes = event.get("body", b"")
            return _limited(whole, max_bytes)
        chunks: list[bytes] = []
        size = 0
        while True:
            if event["type"] != "http.request":
                self.is_gone = True
                raise ClientGone
            chunks.append(event.get("body", b""))
            size += len(chunks[-1])
            if size > max_bytes:
                raise _too_large(max_bytes)
            if not event.get("more_body"):
                return b"".join(chunks)
            event = await self._receive()

    def watch(self, leave: Callable[[], object]) -> None:
        """From now on a disconnect sets `is_gone` and calls `leave`. Ended by `close`."""
        self._watcher = asyncio.create_task(self._watch(leave))

    async def _watch(self, leave: Callable[[], object]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        leave()

    def stop(self, work: "asyncio.Task[Any]", reason: GatewayError) -> None:  # Any: what it returns is not looked at
        """Cancel the work and let it tell the client why; nothing once the answer is complete."""
        if self._watcher is not None and self.stopped is None:
            self.stopped = reason
            work.cancel()

    async def start(self, status: int, headers: Headers) -> None:
        """Status and headers out; after this nothing about the request can be retried."""
        self.is_committed = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes) -> None:
        """A piece of the body; waits while the client reads slowly. Goes nowhere once the client has left."""
        if self.is_gone:
            return
        self.writes += 1
        self.is_writing = True
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self.is_writing = False

    async def finish(self, body: bytes = b"") -> None:
        """The last piece, in one flush with the end of the body."""
        self.close()
        await self._send({"type": "http.response.body", "body": body})

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer."""
        headers.append((b"content-length", b"%d" % len(body)))
        await self.start(status, headers)
        await self.finish(body)

    async def refuse(self, error: GatewayError, headers: Headers) -> None:
        """An error before the first byte, in OpenAI's envelope."""
        await self.respond(error.status, [JSON_TYPE, *error.headers(), *headers], error.envelope())

    def close(self) -> None:
        """Stop watching. A disconnect from here on is none."""
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None


def current_task() -> "asyncio.Task[Any]":  # Any: what the server's task returns is nobody's business
    """The task that serves the request."""
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("a request is always served by a task")
    return task


def bearer_token(scope: Scope) -> str:
    """The client's key: the Authorization header's, else the one some clients send as `x-api-key` or `api-key`.

    Raises InvalidKey where there is none.
    """
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _KEY_HEADERS and name not in found:
            found[name] = value.decode("latin-1").strip()
    authorization = found.get(b"authorization", "")
    token = authorization[7:].strip() if authorization[:7].lower() == "bearer " else ""
    token = token or found.get(b"x-api-key") or found.get(b"api-key") or ""
    if not token:
        raise InvalidKey(_NO_KEY)
    return token


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body is larger than {max_bytes} bytes.")


def _limited(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body
