"""The upstream client on pyreqwest (Rust's reqwest): bytes out, bytes in, foreign errors turned into failures.

Never retries: an answer that got lost may have been billed. Never follows redirects, keeps cookies, decompresses or
reads the environment. HTTP/1.1 only: one HTTP/2 connection would queue every stream behind the peer's stream limit.

What it cannot do: pyreqwest lets a request whose task is cancelled run on in its own thread until the headers, and of a
complete answer the bytes read ahead, are there, and closes the connection only then (0.15.1; later, closing is
immediate). A time limit inside the library bounds that wait for every call.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pyreqwest.client import Client as HttpClient
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import (
    DecodeError,
    DetailedPyreqwestError,
    PoolTimeoutError,
    PyreqwestError,
    ReadTimeoutError,
    RequestTimeoutError,
)
from pyreqwest.http import HeaderMap, Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import RequestBuilder, StreamRequest
from pyreqwest.response import Response, ResponseBodyReader

from gateway.client.account import IDLE_SECONDS, MAX_REPLY_BYTES, Account
from gateway.client.contract import CallHeaders, Client, Reply, ReplyStream
from gateway.client.stall import StallWatch
from gateway.core.answer import Failure

_READ_AHEAD_BYTES = 65_536
"""What may arrive with the headers of a complete answer: saves a thread switch (8 µs of 36 µs a call, 32 at once)."""

_NOT_CONNECTED = "client error (Connect)"
"""The cause reqwest names when no connection was made. Its exception classes do not tell: a connection closed after
the request was sent is a ConnectError too, and so is a late answer."""

_NO_HEADERS = "client error (SendRequest)"
"""The cause reqwest names when a connection was there and no readable headers came back on it."""

_Task = asyncio.Task[Any]  # what the task returns is nobody's business

_MAX_URLS = 256
_SHORTEST = timedelta(milliseconds=1)


class _Headers(Mapping[str, str]):
    """Response headers by lower-case name, converted only when asked for; one that is not UTF-8 counts as absent."""

    __slots__ = ("_map",)

    def __init__(self, header_map: HeaderMap) -> None:
        self._map = header_map

    def __getitem__(self, name: str) -> str:
        try:
            return self._map[name]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (name for name in dict.fromkeys(self._map) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class PyreqwestStream:
    """One open response. Its connection goes back to the pool only if the body was read to its end."""

    __slots__ = ("_is_closed", "_reader", "_request", "_watch", "headers", "status")

    def __init__(self, request: StreamRequest, response: Response, read_seconds: float) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = _Headers(response.headers)
        self._request = request
        self._reader = response.body_reader
        self._watch = StallWatch(read_seconds)
        self._is_closed = False

    async def read(self) -> bytes | Failure:
        if self._is_closed:
            return Failure("cut", "the upstream's answer was closed before its end")
        watch = self._watch
        task = _running_task()
        watch.begin(task)
        try:
            return await _read_chunk(self._reader, task)
        except asyncio.CancelledError:
            if not watch.caused():
                raise
            await self.close()
            return Failure("cut", "the upstream stalled in the middle of its answer")
        except PyreqwestError as error:
            return _failure(error)
        finally:
            watch.end()

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._watch.stop()
        await self._request.__aexit__(None, None, None)


class PyreqwestClient:
    """See `client.contract.Client`. Lives in one event loop."""

    name = "pyreqwest"

    def __init__(self, account: Account) -> None:
        self._account = account
        self._whole = _configure(account).build()
        # The library's read limit counts while headers are awaited, too: it ends calls nobody waits for any more.
        limit = timedelta(seconds=max(account.first_byte_seconds, account.read_seconds))
        self._streamed = _configure(account).read_timeout(limit).build()
        self._urls: dict[str, Url] = {}

    async def fetch(self, path: str, body: bytes, deadline: float, headers: CallHeaders = ()) -> Reply | Failure:
        return await _complete(self._post(self._whole, path, body, headers), deadline)

    async def get(self, path: str, deadline: float) -> Reply | Failure:
        return await _complete(self._whole.get(self._url(path)), deadline)

    async def open(self, path: str, body: bytes, deadline: float, headers: CallHeaders = ()) -> ReplyStream | Failure:
        # Without the zero the library reads 64 KiB before it lets go of the headers: a stream would come in one lump.
        builder = self._post(self._streamed, path, body, headers)
        request = builder.streamed_read_buffer_limit(0).build_streamed()
        try:
            async with asyncio.timeout_at(deadline):
                response = await _enter(request, _running_task())
        except PyreqwestError as error:  # before TimeoutError: the library's timeouts are both
            return _failure(error)
        except TimeoutError:
            return Failure("first_byte_timeout", "the upstream did not answer in time")
        return PyreqwestStream(request, response, self._account.read_seconds)

    async def close(self) -> None:
        await self._whole.close()
        await self._streamed.close()

    def _post(self, client: HttpClient, path: str, body: bytes, headers: CallHeaders) -> RequestBuilder:
        builder = client.post(self._url(path)).body_bytes(body)
        for name, value in headers:
            builder = builder.header(name, value)
        return builder

    def _url(self, path: str) -> Url:
        """A parsed URL per path; paths are few, so parsing each time (0.6 µs) would be waste."""
        found = self._urls.get(path)
        if found is None:
            if len(self._urls) >= _MAX_URLS:
                self._urls.clear()
            found = self._urls[path] = Url(self._account.url + path)
        return found


def connect(account: Account) -> Client:
    """The adapter, as `client.select` creates it."""
    return PyreqwestClient(account)


def _configure(account: Account) -> ClientBuilder:
    builder = (
        ClientBuilder()
        .default_headers(account.headers)
        .http1_only()
        .http1_lower_case_headers()
        .follow_redirects(enable=False)
        .referer(enable=False)
        .default_cookie_store(enable=False)
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .connect_timeout(timedelta(seconds=account.connect_seconds))
        .max_connections(account.max_connections)
        .pool_timeout(timedelta(seconds=account.connect_seconds))
        .pool_max_idle_per_host(account.max_connections)
        .pool_idle_timeout(timedelta(seconds=IDLE_SECONDS))
        .no_proxy()  # drops the environment's; the one below is the only one
    )
    if account.proxy:
        builder = builder.proxy(ProxyBuilder.all(account.proxy))
    for certificate in _split_bundle(account.authorities or ""):
        builder = builder.add_root_certificate_pem(certificate)
    return builder


def _split_bundle(text: str) -> list[bytes]:
    """The certificates of a PEM bundle: the builder reads only the first of what it is given."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    bodies = (part.split(end, 1)[0] for part in text.split(begin)[1:])
    return [f"{begin}{body}{end}\n".encode() for body in bodies]


async def _complete(builder: RequestBuilder, deadline: float) -> Reply | Failure:
    left = timedelta(seconds=deadline - asyncio.get_running_loop().time())
    # The library's own clock is used here: asyncio.timeout would cost 4 µs more.
    builder = builder.timeout(max(left, _SHORTEST)).streamed_read_buffer_limit(_READ_AHEAD_BYTES)
    try:
        task = _running_task()
        request = builder.build_streamed()
        response = await _enter(request, task)
        try:
            body = await _read_bounded(response, task)
        finally:
            await request.__aexit__(None, None, None)
    except PyreqwestError as error:
        return _failure(error)
    return body if isinstance(body, Failure) else Reply(response.status, _Headers(response.headers), body)


def _running_task() -> _Task:
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("a client is used by tasks")
    return task


async def _enter(request: StreamRequest, task: _Task) -> Response:
    """Send it and wait for the headers. Only what was entered can, and must, be left."""
    asked = task.cancelling()
    response = await request.__aenter__()
    if task.cancelling() > asked:
        await request.__aexit__(None, None, None)
        raise asyncio.CancelledError
    return response


async def _read_chunk(reader: ResponseBodyReader, task: _Task) -> bytes:
    """The next piece of the body; b"" at its end."""
    asked = task.cancelling()
    chunk = await reader.read_chunk()
    if task.cancelling() > asked:
        raise asyncio.CancelledError
    return b"" if chunk is None else chunk.to_bytes()


async def _read_bounded(response: Response, task: _Task) -> bytes | Failure:
    parts: list[bytes] = []
    size = 0
    while chunk := await _read_chunk(response.body_reader, task):
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_REPLY_BYTES:
            return Failure("malformed", f"the upstream's answer is larger than {MAX_REPLY_BYTES} bytes")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _failure(error: PyreqwestError) -> Failure:
    """`connect` only where nothing was sent: that kind may be repeated without paying twice."""
    causes = _causes(error)
    if isinstance(error, PoolTimeoutError) or _NOT_CONNECTED in causes:
        return Failure("connect", f"no connection to the upstream: {_innermost(error)}")
    if isinstance(error, ReadTimeoutError):
        return Failure("cut", "the upstream stalled in the middle of its answer")
    if isinstance(error, RequestTimeoutError):
        return Failure("first_byte_timeout", "the upstream did not answer in time")
    if _NO_HEADERS not in causes:
        return Failure("cut", f"the upstream's answer broke off: {_innermost(error)}")
    if isinstance(error, DecodeError):
        return Failure("malformed", f"the upstream did not answer in HTTP: {_innermost(error)}")
    return Failure("cut", f"the upstream closed the connection without an answer: {_innermost(error)}")


def _causes(error: PyreqwestError) -> list[str]:
    if not isinstance(error, DetailedPyreqwestError):
        return []
    return [cause["message"] for cause in error.details.get("causes") or ()]


def _innermost(error: PyreqwestError) -> str:
    """The last cause: outer ones quote the URL, which has the account's id in it."""
    causes = _causes(error)
    return causes[-1] if causes and "url (" not in causes[-1] else "no details"
