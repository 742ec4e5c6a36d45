"""What is below /dashboard: the page's files, and signing in, signing out, who am I. Everything else the page shows
comes from the admin API, which accepts the session's cookie for reading.

Signing in and out cannot be done from a foreign page: the cookie is SameSite=Strict, and a browser's request has to
come from this origin and to carry JSON.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from starlette.routing import Route

from gateway.core.errors import Forbidden, GatewayError, InvalidKey, InvalidRequest, MethodNotAllowed
from gateway.dashboard.files import SECURITY, File, read_files, send_file
from gateway.dashboard.sessions import COOKIE, SESSION_SECONDS, Session, Sessions
from gateway.dashboard.sign_in_rate import SignInRate
from gateway.relay import JSON_TYPE, ClientGone, Exchange, Headers, Receive, Scope, Send

_MAX_BODY_BYTES = 4096

_encode = msgspec.json.Encoder().encode


class _SignIn(msgspec.Struct, forbid_unknown_fields=True):
    key: str


class Named(msgspec.Struct):
    """A project or key by id and name."""

    id: str
    name: str


class WhoAmI(msgspec.Struct, kw_only=True):
    """`role` is `admin` (of one `project`, where there is one), `key`, or `none`: not signed in. `expires_at` is unix
    seconds.
    """

    object: str = "dashboard.session"
    role: str
    expires_at: int | None = None
    project: Named | None = None
    key: Named | None = None


_decode_sign_in = msgspec.json.Decoder(_SignIn).decode


class SignInWitness(Protocol):
    """Who is told of sign-ins with an admin key, and of those with none at all."""

    async def succeeded(self, scope: Scope, secret: str, request_id: str) -> None: ...

    def failed(self, scope: Scope) -> None: ...


@dataclass(slots=True, frozen=True)
class Doorkeeper:
    """Who may come in. `admin_hash` tells an admin key: its hash, empty for the root key, None for any other key."""

    sessions: Sessions
    rate: SignInRate
    admin_hash: Callable[[str], Awaitable[str | None]]
    witness: SignInWitness


def routes(doorkeeper: Doorkeeper) -> list[Route]:
    """The routes, absolute."""
    pages = _Pages(doorkeeper, read_files())
    return [
        Route("/dashboard/session", _Guarded(pages.session)),
        Route("/dashboard/{path:path}", _Guarded(pages.file)),
        Route("/dashboard", _Guarded(pages.file)),
    ]


class _Guarded:
    """Runs an endpoint; whatever it refuses is answered in the envelope."""

    def __init__(self, endpoint: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._endpoint(scope, receive, send)
        except ClientGone:
            return
        except GatewayError as error:
            await Exchange(scope, receive, send).refuse(error, _plain_headers())


class _Pages:
    def __init__(self, doorkeeper: Doorkeeper, files: dict[str, File]) -> None:
        self._doorkeeper = doorkeeper
        self._files = files

    async def file(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise _not_allowed(scope)
        await send_file(self._files, scope, receive, send)

    async def session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET who am I · POST sign in · DELETE sign out."""
        exchange = Exchange(scope, receive, send)
        cookies = exchange.header(b"cookie") or ""
        headers = [JSON_TYPE, *_plain_headers()]
        if scope["method"] == "GET":
            found = await self._doorkeeper.sessions.find(cookies)
        elif scope["method"] == "POST":
            _check_origin(exchange)
            token, found = await self._sign_in(exchange)
            headers.append(_cookie(exchange, token, SESSION_SECONDS))
        elif scope["method"] == "DELETE":
            _check_origin(exchange)
            await self._doorkeeper.sessions.close(cookies)
            found = None
            headers.append(_cookie(exchange, "", 0))
        else:
            raise _not_allowed(scope)
        await exchange.respond(200, headers, _encode(_who_am_i(found)))

    async def _sign_in(self, exchange: Exchange) -> tuple[str, Session]:
        if (exchange.header(b"content-type") or "").partition(";")[0].strip().lower() != "application/json":
            raise InvalidRequest("The body has to be JSON, and its Content-Type has to say so.")
        body = await exchange.read_body(_MAX_BODY_BYTES)
        try:
            secret = _decode_sign_in(body).key.strip()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest('The body has to be {"key": "…"}.') from error
        address = (exchange.scope.get("client") or ["unknown"])[0]
        counted = await self._doorkeeper.rate.count(address)
        identity = None
        admin_hash = await self._doorkeeper.admin_hash(secret)
        if admin_hash is None:
            identity = await self._doorkeeper.sessions.identify(secret)
            if identity is None:
                self._doorkeeper.witness.failed(exchange.scope)
                raise InvalidKey(
                    "This is neither an admin key nor a virtual key that may be used.", code="invalid_api_key"
                )
        await self._doorkeeper.rate.forgive(counted)
        opened = await self._doorkeeper.sessions.open(identity, admin_hash or "")
        if identity is None:
            await self._doorkeeper.witness.succeeded(exchange.scope, secret, f"req_{secrets.token_hex(16)}")
        return opened


def _who_am_i(session: Session | None) -> WhoAmI:
    if session is None:
        return WhoAmI(role="none")
    if session.identity is None:
        project = session.project
        named = Named(project.id, project.name) if project else None
        return WhoAmI(role="admin", expires_at=session.expires, project=named)
    project, key = session.identity.project, session.identity.key
    return WhoAmI(
        role="key",
        expires_at=session.expires,
        project=Named(project.id, project.name),
        key=Named(key.id, key.name),
    )


def _check_origin(exchange: Exchange) -> None:
    """Browsers say where a request comes from; what is no browser has no cookie to be abused. Raises Forbidden."""
    site = exchange.header(b"sec-fetch-site")
    origin, host = exchange.header(b"origin"), exchange.header(b"host") or ""
    if site is None:
        # Sent over https and to this machine only. Elsewhere there is the origin, and no proxy that changes the host.
        is_own = origin is None or origin.partition("://")[2].lower() == host.lower()
    else:
        is_own = site in ("same-origin", "none")
    if not is_own:
        raise Forbidden("Sign in from the dashboard's own page.")


def _cookie(exchange: Exchange, token: str, seconds: int) -> tuple[bytes, bytes]:
    """The session's cookie. Secure where the browser came by https, also where a proxy in front of us says so."""
    scheme = exchange.header(b"x-forwarded-proto") or exchange.scope.get("scheme", "http")
    secure = "; Secure" if scheme.partition(",")[0].strip().lower() == "https" else ""
    text = f"{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", text.encode("ascii")


def _plain_headers() -> Headers:
    request_id = f"req_{secrets.token_hex(16)}".encode()
    return [*SECURITY, (b"cache-control", b"no-store"), (b"x-request-id", request_id)]


def _not_allowed(scope: Scope) -> MethodNotAllowed:
    return MethodNotAllowed(f"Not allowed to {scope['method']} on {scope['path']}.")
