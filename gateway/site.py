"""Everything over HTTP that is no surface: models, health, readiness, and the refusal of unknown URLs.

Plain ASGI endpoints in a Starlette router. It reads; nothing here is held, spent or written, except by the
administrators behind /v1/organization.
"""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route, Router

from gateway.core.catalog import Catalog
from gateway.core.eligibility import Learned
from gateway.core.errors import GatewayError, InternalError, InvalidKey, MethodNotAllowed, NotFound
from gateway.core.records import Identity
from gateway.dashboard.routes import Doorkeeper
from gateway.dashboard.routes import routes as dashboard_routes
from gateway.keys import Keyring, redact
from gateway.models import find_model, list_models
from gateway.organization.routes import routes as organization_routes
from gateway.organization.service import AdminService
from gateway.relay import JSON_TYPE, Exchange, Receive, Scope, Send, bearer_token
from gateway.surfaces import SURFACES

_log = logging.getLogger("gateway.site")
_encode = msgspec.json.Encoder().encode

Problems = Callable[[], Awaitable[Sequence[str]]]


@dataclass(slots=True, frozen=True)
class Endpoint:
    """One page: `answer` gives status and content, or raises a GatewayError. GET only, unless it says otherwise."""

    answer: Callable[[Scope], Awaitable[tuple[int, object]]]
    any_method: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request in JSON, whatever happens."""
        started = time.monotonic()
        exchange = Exchange(scope, receive, send)
        headers = [_request_id()]
        try:
            if scope["method"] not in ("GET", "HEAD") and not self.any_method:
                raise method_not_allowed(scope)
            status, content = await self.answer(scope)
        except GatewayError as error:
            await exchange.refuse(error, headers)
            return
        except Exception:  # noqa: BLE001 - a broken promise of ours; the client gets an envelope all the same
            _log.exception("%s %s failed", scope["method"], scope["path"])
            await exchange.refuse(InternalError("The gateway had an error while processing your request."), headers)
            return
        headers.append((b"openai-processing-ms", b"%d" % ((time.monotonic() - started) * 1000)))
        await exchange.respond(status, [JSON_TYPE, *headers], _encode(content))


@dataclass(slots=True, frozen=True)
class _Front:
    """The bare address leads a browser to the dashboard; any other method is `otherwise`."""

    otherwise: Endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = RedirectResponse("/dashboard") if scope["method"] in ("GET", "HEAD") else self.otherwise
        await answer(scope, receive, send)


class Site:
    """The pages of a worker. `problems` names what keeps it from being ready; `notice` is said beside them;
    `learned` tells what is known of the models.
    """

    def __init__(
        self,
        catalog: Catalog,
        keyring: Keyring,
        admin: AdminService,
        doorkeeper: Doorkeeper,
        problems: Problems,
        learned: Callable[[], Learned],
    ) -> None:
        self.catalog = catalog
        self.notice = ""
        self.is_leaving = False
        self._keyring = keyring
        self._problems = problems
        self._learned = learned
        self.router = Router(
            [
                *(Route(path, Endpoint(self._post_only)) for path in SURFACES),
                Route("/", _Front(Endpoint(self._unknown, any_method=True))),
                Route("/healthz", Endpoint(self._health)),
                Route("/readyz", Endpoint(self._readiness)),
                Route("/v1/models", Endpoint(self._models)),
                Route("/v1/models/{id:path}", Endpoint(self._model)),
                Mount("/v1/organization", routes=organization_routes(admin)),
                *dashboard_routes(doorkeeper),
            ],
            redirect_slashes=False,
            default=Endpoint(self._unknown, any_method=True),
        )

    async def _health(self, _: Scope) -> tuple[int, object]:
        return 200, {"status": "alive"}

    async def _readiness(self, _: Scope) -> tuple[int, object]:
        problems = ["the gateway is shutting down"] if self.is_leaving else list(await self._problems())
        notices = {"notices": [self.notice]} if self.notice else {}
        if problems:
            return 503, {"status": "not ready", "problems": problems, **notices}
        return 200, {"status": "ready", **notices}

    async def _models(self, scope: Scope) -> tuple[int, object]:
        identity = await self._authenticate(scope)
        return 200, list_models(self.catalog, time.time(), self._learned(), identity.access)

    async def _model(self, scope: Scope) -> tuple[int, object]:
        identity = await self._authenticate(scope)
        name = scope["path_params"]["id"]
        found = find_model(self.catalog, name, time.time(), self._learned(), identity.access)
        if found is None:
            raise NotFound(
                f"The model `{name}` does not exist or you do not have access to it.", code="model_not_found"
            )
        return 200, found

    async def _authenticate(self, scope: Scope) -> Identity:
        token = bearer_token(scope)
        identity = await self._keyring.find_fresh(token, (scope.get("client") or ("",))[0])
        if identity is None:
            raise InvalidKey(f"Incorrect API key provided: {redact(token)}.", code="invalid_api_key")
        return identity

    async def _post_only(self, scope: Scope) -> tuple[int, object]:
        raise method_not_allowed(scope)

    async def _unknown(self, scope: Scope) -> tuple[int, object]:
        raise NotFound(f"Invalid URL ({scope['method']} {scope['path']})", code="unknown_url")


async def refuse(error: GatewayError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with nothing but this error."""
    await Exchange(scope, receive, send).refuse(error, [_request_id()])


def _request_id() -> tuple[bytes, bytes]:
    return b"x-request-id", f"req_{secrets.token_hex(16)}".encode()


def method_not_allowed(scope: Scope) -> MethodNotAllowed:
    """The refusal of a method that a known URL does not have."""
    return MethodNotAllowed(
        f"Not allowed to {scope['method']} on {scope['path']}. "
        "(HINT: Perhaps you meant to use a different HTTP method?)"
    )
