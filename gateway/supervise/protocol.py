"""HTTP/1.1 on one connection, with patience and room that end: what uvicorn's own protocol over httptools leaves open.

A request's head may take `MAX_HEAD_BYTES`, and the whole request `request_seconds` from its first byte (a connection
that says nothing, from its beginning). Whoever needs more is answered 431 or 408 and disconnected. A request that comes
in one read, as nearly all do, costs one comparison.

While the worker leaves, answers say `connection: close`, so that clients take their next request elsewhere; a
connection is hung up on only when it has been quiet for `QUIET_SECONDS`, lest a request be on its way.

What is no request is answered 400 and hung up on; what was asked before it on the connection is answered first. An
offer to upgrade is ignored, and the request read as if it were not there: httptools would take its body for the other
protocol. Where the connection is lost, each request on it is told, not only the last one.
"""

import asyncio
import secrets
from collections import deque
from http import HTTPStatus
from typing import Any

import httptools
import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.supervise.proxies import TrustedProxies

MAX_HEAD_BYTES = 64 * 1024
"""Of request line and headers; OpenAI takes as much."""

QUIET_SECONDS = 5.0
"""A connection nothing was sent on for so long, while its worker leaves, is one nobody is about to use."""

_TOO_LARGE = f"The request's headers are larger than {MAX_HEAD_BYTES} bytes."
_TOO_SLOW = "The request was not complete in time."
_NOT_HTTP = "What was sent cannot be read as an HTTP/1.1 request."
_VERSIONS = ("1.0", "1.1")


class BoundedConfig(uvicorn.Config):
    """uvicorn's configuration and ours. `request_seconds` is read anew for each wait."""

    request_seconds: float = 60.0
    proxies: TrustedProxies | None = None
    is_leaving: bool = False  # every answer that has not begun closes its connection


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    config: BoundedConfig

    _deadline: asyncio.TimerHandle | None = None
    _is_awaited = True  # something of a request is still to come
    _is_in_head = True
    _head_bytes = 0  # read since the head began; the end of the last request may be among them
    _is_ended = False
    _is_offered_upgrade = False  # the head just read is read again without the offer
    _quiet_since = 0.0  # kept only while leaving

    def __init__(self, *given: Any, **named: Any) -> None:  # as uvicorn calls it
        super().__init__(*given, **named)
        self._unanswered: deque[RequestResponseCycle] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if self.config.is_leaving:
            self._quiet_since = self.loop.time()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_ended:
            return
        self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self._read(data)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, _NOT_HTTP)
        if not self._is_in_head:
            self._head_bytes = 0
        elif self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)
        if self._is_awaited and not self._is_ended:
            self._wait()
        else:
            self._stop_waiting()

    def _read(self, data: bytes) -> None:
        """Let the parser have it. Raises HttpParserError."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if not self._is_ended:
                self._read(self._without_offer() + data[offer.args[0] :])

    def _without_offer(self) -> bytes:
        """The head just read, for another parser, without the offer to upgrade in it."""
        self._is_offered_upgrade = False
        line = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        head = [b"%s: %s" % (name, value) for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        return b"\r\n".join([line, *head, b"", b""])

    def on_message_begin(self) -> None:
        self._is_awaited = self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._is_ended:
            return
        is_offered = self.parser.should_upgrade()
        is_ours = self.parser.get_method() != b"CONNECT" and self.parser.get_http_version() in _VERSIONS
        if not is_ours or (is_offered and self._unanswered):
            self._refuse(HTTPStatus.BAD_REQUEST, _NOT_HTTP)
            return
        if is_offered:
            self._is_offered_upgrade = True
            return
        # Counted only where the reads so far leave it possible: a body in the same read is not part of the head.
        if self._head_bytes > MAX_HEAD_BYTES and self._head_size() > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)
            return
        super().on_headers_complete()
        self._is_in_head = False
        self._unanswered.append(self.cycle)
        if self.config.proxies is not None and self.client is not None:
            # The request's task has not begun: it is the scope's own address for everybody who asks for it.
            self.scope["client"] = (self.config.proxies.client_of(self.client[0], self.headers), self.client[1])
        if self.config.is_leaving:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        if self.config.is_leaving:
            self._quiet_since = self.loop.time()
        self._unanswered.popleft()
        super().on_response_complete()

    def take_leave(self) -> None:
        """The worker is leaving: an answer not yet begun will say so."""
        self._quiet_since = self.loop.time()
        if not self._is_in_head and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def is_quiet(self) -> bool:
        """Whether nobody waits for an answer here, nor is likely to ask for one."""
        has_asked = self._head_bytes > 0 if self._is_in_head else not self.cycle.response_complete
        return not has_asked and self.loop.time() - self._quiet_since >= QUIET_SECONDS

    def on_body(self, body: bytes) -> None:
        if not self._is_ended:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_ended and not self._is_offered_upgrade:
            self._is_awaited = False
            super().on_message_complete()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.config.request_seconds, self._come_too_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _come_too_late(self) -> None:
        self._deadline = None
        if self._is_in_head and not self._head_bytes:
            self._is_ended = True
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, _TOO_SLOW)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Say why, in the envelope of every other error, and hang up; without a word where others wait for answers."""
        if self._is_ended:
            return
        self._is_ended = True
        if self._unanswered and not self._unanswered[-1].more_body:
            self._unanswered[-1].keep_alive = False  # its answer hangs up
            return
        if len(self._unanswered) > 1 or (not self._is_in_head and self.cycle.response_started):
            self.transport.close()
            return
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        body = msgspec.json.encode({"error": error})
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: req_{secrets.token_hex(16)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()
