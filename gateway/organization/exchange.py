"""One admin request over HTTP: who asks, what was sent, what goes back. Every refusal is OpenAI's envelope.

Endpoints are plain coroutine functions from a `Question` to something JSON can say; everything about HTTP is here.
"""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.core.errors import (
    BodyTooLarge,
    Forbidden,
    GatewayError,
    InternalError,
    InvalidKey,
    MethodNotAllowed,
    NotFound,
    StoreAway,
)
from gateway.core.viewer import Viewer
from gateway.keys import hash_secret, is_well_formed, load_identity, redact
from gateway.organization.change import Actor
from gateway.organization.parameters import Body, Query
from gateway.organization.service import AdminService
from gateway.relay import bearer_token

# No object of the admin API is anywhere near this size.
MAX_BODY_BYTES = 256 * 1024

_log = logging.getLogger("gateway.organization")

_CREDENTIALS = (b"authorization", b"cookie")
_AGENT_LENGTH = 200  # of a client's name for itself, in the audit

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, frozen=True)
class Question:
    """An authenticated request, taken apart."""

    service: AdminService
    actor: Actor
    path: Mapping[str, str]
    query: Query
    body: Body
    viewer: Viewer


class ClientGone(Exception):
    """The client left before its body was complete: nobody is there to be answered."""


Responder = Callable[[Question], Awaitable[object]]


@dataclass(slots=True, frozen=True)
class Responders:
    """Who gets what at one path: by method the organisation's administrators and those of one project; `of_key`, GET,
    a virtual key. Whoever may only read gets GET.
    """

    methods: Mapping[str, Responder]
    of_project: Mapping[str, Responder]
    of_key: Responder | None = None

    def responder(self, method: str, viewer: Viewer) -> Responder:
        """Who answers this. Raises Forbidden."""
        if viewer.api_key_id is not None:
            if self.of_key is None or method != "GET":
                raise Forbidden("A session of a virtual key reads the usage, costs and rows of its own key only.")
            return self.of_key
        if method != "GET" and not viewer.can_change:
            raise Forbidden("This admin key has the role 'viewer': it may read, and change nothing.")
        if viewer.project_id is None:
            return self.methods[method]
        function = self.of_project.get(method)
        if function is None:
            raise Forbidden(
                f"This admin key is for project '{viewer.project_id}' only, and not for what bounds that project."
            )
        return function


class Endpoint:
    """The ASGI application behind one path. Without any method, the URL is unknown."""

    def __init__(self, service: AdminService, responders: Responders) -> None:
        self._service = service
        self._responders = responders

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        request_id = f"req_{secrets.token_hex(16)}"
        extra: list[tuple[bytes, bytes]] = []
        try:
            status, content = 200, _encode(await self._answer(scope, receive, request_id))
        except ClientGone:
            return
        except GatewayError as error:
            status, content, extra = error.status, error.envelope(), error.headers()
        except Exception:  # noqa: BLE001 - a broken promise of ours; the client gets an envelope all the same
            _log.exception("request %s failed", request_id)
            ours = InternalError("The gateway had an error while processing your request; its log has the cause.")
            status, content = ours.status, ours.envelope()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"cache-control", b"no-store"),  # answers carry keys and money
            (b"x-request-id", request_id.encode()),
            (b"openai-processing-ms", b"%d" % ((time.perf_counter() - started) * 1000)),
            *extra,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> object:
        method, path = scope["method"], scope["path"]
        methods = self._responders.methods
        if not methods:
            raise NotFound(f"Invalid URL ({method} {path})", code="unknown_url")
        if method not in methods:
            raise MethodNotAllowed(
                f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
            )
        viewer, actor = await self._admit(scope, request_id)
        body = await _read_body(receive)
        query = Query(scope["query_string"])
        try:
            function = self._responders.responder(method, viewer)
            return await function(Question(self._service, actor, scope["path_params"], query, Body(body), viewer))
        except StoreAway:
            raise
        except GatewayError as error:
            if method != "GET":
                await self._service.audit.refused(actor, method, path, error)
            raise

    async def _admit(self, scope: Scope, request_id: str) -> tuple[Viewer, Actor]:
        """An admin key, in a header, as far as it reaches; a session, in a cookie, may read. Raises InvalidKey."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _CREDENTIALS}
        # Only GET: a page of somebody else's that makes a browser send the cookie must not change anything.
        if b"authorization" not in headers and scope["method"] == "GET" and self._service.find_viewer is not None:
            viewer = await self._service.find_viewer(headers.get(b"cookie", ""))
            if viewer is not None:
                return viewer, replace(read_actor(scope, "session", request_id), is_session=True)
        actor = read_actor(scope, "", request_id)
        self._service.guesses.check(actor.address)
        try:
            admitted = await self._service.auth.admit(headers.get(b"authorization"))
        except InvalidKey:
            self._service.guesses.note(actor.address)
            self._service.rejections.note(actor.address, scope["path"])
            raise
        return admitted.viewer, replace(actor, name=admitted.name, key_id=admitted.key_id)


class KeyEndpoint(Endpoint):
    """An endpoint for virtual keys, which see what is theirs; sessions of theirs are admitted as well."""

    async def _admit(self, scope: Scope, request_id: str) -> tuple[Viewer, Actor]:
        if self._service.find_viewer is not None and not any(name == b"authorization" for name, _ in scope["headers"]):
            viewer, actor = await super()._admit(scope, request_id)
            if viewer.api_key_id is not None:
                return viewer, actor
        token, registry = bearer_token(scope), self._service.registry
        actor, identity = read_actor(scope, "key", request_id), None
        self._service.guesses.check(actor.address)
        if is_well_formed(token):
            identity = await load_identity(registry.store, registry.layout, hash_secret(token))
        if identity is None or not identity.is_valid(await registry.now()):
            self._service.guesses.note(actor.address)
            raise InvalidKey(f"Incorrect API key provided: {redact(token)}.", code="invalid_api_key")
        return Viewer(identity.project.id, identity.key.id), Actor("key", request_id)


def read_actor(scope: Scope, name: str, request_id: str) -> Actor:
    """Who asks, as the audit tells it."""
    address = (scope.get("client") or ("",))[0]
    agent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"), "")
    return Actor(name, request_id, address=address, agent=agent[:_AGENT_LENGTH])


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BodyTooLarge(f"The body of this request may have at most {MAX_BODY_BYTES} bytes.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
