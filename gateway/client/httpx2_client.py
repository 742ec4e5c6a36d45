"""The upstream client on httpx2: pure Python, installed everywhere, slower. Foreign errors become failures.

It speaks to httpx2's transport directly: the client class above it adds redirects, cookies and decompression, which
are not wanted, and costs as much again. Never retries: an answer that got lost may have been billed.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping

import httpx2

from gateway.client.account import IDLE_SECONDS, MAX_REPLY_BYTES, Account
from gateway.client.contract import CallHeaders, Client, Reply, ReplyStream
from gateway.client.stall import StallWatch
from gateway.core.answer import Failure

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


class Httpx2Stream:
    """One open response. Its connection goes back to the pool only if the body was read to its end."""

    __slots__ = ("_chunks", "_is_closed", "_response", "_watch", "headers", "status")

    def __init__(self, response: httpx2.Response, read_seconds: float) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._chunks: AsyncIterator[bytes] = _body(response)
        self._watch = StallWatch(read_seconds)
        self._is_closed = False

    async def read(self) -> bytes | Failure:
        if self._is_closed:
            return Failure("cut", "the upstream's answer was closed before its end")
        watch = self._watch
        watch.begin(asyncio.current_task())
        try:
            return await anext(self._chunks, b"")
        except asyncio.CancelledError:
            if not watch.caused():
                raise
            await self.close()
            return Failure("cut", "the upstream stalled in the middle of its answer")
        except httpx2.TransportError as error:
            return Failure("cut", f"the upstream's answer broke off: {error}")
        finally:
            watch.end()

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._watch.stop()
        await self._response.aclose()


class Httpx2Client:
    """See `client.contract.Client`. Lives in one event loop."""

    name = "httpx2"

    def __init__(self, account: Account) -> None:
        self._account = account
        self._url = httpx2.URL(account.url)
        self._headers = httpx2.Headers({**account.headers, "host": self._url.netloc.decode("ascii")})
        self._extensions = {"timeout": {"connect": account.connect_seconds, "pool": account.connect_seconds}}
        self._transport = httpx2.AsyncHTTPTransport(
            verify=_tls(account.authorities),
            trust_env=False,
            proxy=account.proxy or None,
            limits=httpx2.Limits(
                max_connections=account.max_connections,
                max_keepalive_connections=account.max_connections,
                keepalive_expiry=IDLE_SECONDS,
            ),
        )

    async def fetch(self, path: str, body: bytes, deadline: float, headers: CallHeaders = ()) -> Reply | Failure:
        return await self._complete(self._request("POST", path, body, headers), deadline)

    async def get(self, path: str, deadline: float) -> Reply | Failure:
        return await self._complete(self._request("GET", path, None), deadline)

    async def open(self, path: str, body: bytes, deadline: float, headers: CallHeaders = ()) -> ReplyStream | Failure:
        response = await self._send(self._request("POST", path, body, headers), deadline)
        return response if isinstance(response, Failure) else Httpx2Stream(response, self._account.read_seconds)

    async def close(self) -> None:
        await self._transport.aclose()

    def _request(self, method: str, path: str, body: bytes | None, headers: CallHeaders = ()) -> httpx2.Request:
        url = self._url.copy_with(raw_path=self._url.raw_path + path.encode())
        request = httpx2.Request(method, url, headers=self._headers, content=body, extensions=self._extensions)
        for name, value in headers:
            request.headers[name] = value
        return request

    async def _send(self, request: httpx2.Request, deadline: float) -> httpx2.Response | Failure:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._transport.handle_async_request(request)
        except _NOT_SENT as error:
            return Failure("connect", f"no connection to the upstream: {str(error) or type(error).__name__}")
        except httpx2.TransportError as error:
            # The parser says so where bytes came that are not HTTP; where none came, the connection was closed.
            if isinstance(error, httpx2.RemoteProtocolError) and "disconnected" not in str(error):
                return Failure("malformed", f"the upstream did not answer in HTTP: {error}")
            return Failure("cut", f"the upstream closed the connection without an answer: {error}")
        except TimeoutError:
            return Failure("first_byte_timeout", "the upstream did not answer in time")

    async def _complete(self, request: httpx2.Request, deadline: float) -> Reply | Failure:
        response = await self._send(request, deadline)
        if isinstance(response, Failure):
            return response
        try:
            async with asyncio.timeout_at(deadline):
                body = await _read_bounded(response)
        except httpx2.TransportError as error:
            return Failure("cut", f"the upstream's answer broke off: {error}")
        except TimeoutError:
            return Failure("cut", "the upstream stalled in the middle of its answer")
        finally:
            await response.aclose()
        return body if isinstance(body, Failure) else Reply(response.status_code, response.headers, body)


def connect(account: Account) -> Client:
    """The adapter, as `client.select` creates it."""
    return Httpx2Client(account)


def _tls(authorities: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(cadata=authorities)
    return context


def _body(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The body as it arrives: `Response.aiter_raw` would count and re-chunk what needs neither."""
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        raise AssertionError("an asynchronous transport answers with an asynchronous body")
    return aiter(response.stream)


async def _read_bounded(response: httpx2.Response) -> bytes | Failure:
    parts: list[bytes] = []
    size = 0
    async for chunk in _body(response):
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_REPLY_BYTES:
            return Failure("malformed", f"the upstream's answer is larger than {MAX_REPLY_BYTES} bytes")
    return b"".join(parts)
