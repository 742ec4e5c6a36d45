"""`POST /v1/explain`: what would be done with a chat request, without doing it.

The body is read and the plan made by the very functions that serve; then nothing is held, asked or written. A request
that would be refused is refused here in the same words.
"""

import logging
import secrets
import time
from collections.abc import Callable

import msgspec

from gateway.config.settings import Settings
from gateway.core.call import Call
from gateway.core.contracts import Surface
from gateway.core.eligibility import Candidate, Excluded
from gateway.core.errors import GatewayError, InternalError, InvalidKey, MethodNotAllowed
from gateway.core.pricing import worst_cost
from gateway.core.reading import read_call
from gateway.core.routing import Plan
from gateway.keys import Keyring, redact
from gateway.planning import Planning
from gateway.relay import JSON_TYPE, ClientGone, Exchange, Receive, Scope, Send, bearer_token

_log = logging.getLogger("gateway.explain")
_encode = msgspec.json.Encoder().encode
_NANO = 1_000_000_000


class Explain:
    """The endpoint, for requests of one surface. `snapshot` gives the configuration in force."""

    def __init__(
        self, surface: Surface, planning: Planning, keyring: Keyring, snapshot: Callable[[], Settings]
    ) -> None:
        self._surface = surface
        self._planning = planning
        self._keyring = keyring
        self._snapshot = snapshot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        exchange = Exchange(scope, receive, send)
        headers = [(b"x-request-id", f"req_{secrets.token_hex(16)}".encode())]
        try:
            explanation = await self._explain(exchange)
        except ClientGone:
            return
        except GatewayError as error:
            await exchange.refuse(error, headers)
        except Exception:  # noqa: BLE001 - a broken promise of ours; the client gets an envelope all the same
            _log.exception("explaining failed")
            await exchange.refuse(InternalError("The gateway had an error while processing your request."), headers)
        else:
            await exchange.respond(200, [JSON_TYPE, *headers], _encode(explanation))

    async def _explain(self, exchange: Exchange) -> dict[str, object]:
        if exchange.scope["method"] != "POST":
            raise MethodNotAllowed(
                f"Not allowed to {exchange.scope['method']} on {exchange.scope['path']}. "
                "(HINT: Perhaps you meant to use a different HTTP method?)"
            )
        token = bearer_token(exchange.scope)
        identity = await self._keyring.find_fresh(token, exchange.address)
        if identity is None:
            raise InvalidKey(f"Incorrect API key provided: {redact(token)}.", code="invalid_api_key")
        settings = self._snapshot()
        body = await exchange.read_body(settings.server.max_body_bytes)
        call = read_call(self._surface, body, settings.chat.max_choices, identity.access.default_route)
        plan = await self._planning.plan(call, identity, settings.catalog)
        return explanation(call, plan, time.time())


def explanation(call: Call, plan: Plan, now: float) -> dict[str, object]:
    """The plan for readers: money in dollars, tokens per choice except in the hold. `now` is unix seconds."""
    first = plan.candidates[0]
    return {
        "object": "explanation",
        "model": call.requested_model,
        "route": plan.route.name,
        "policy": plan.route.policy,
        "choices": call.n,
        "prompt_tokens": first.prompt_tokens,
        "expected_cost_usd": first.expected_nano / _NANO,
        "maximum_cost_usd": _most(call, first, now),
        "hold": {
            "requests": 1,
            "tokens": call.n * (first.prompt_tokens + first.max_tokens),
            "cost_usd": _most(call, first, now),
        },
        "candidates": [_describe(call, candidate, now) for candidate in plan.candidates],
        "excluded": [_describe_excluded(each) for each in plan.excluded],
        "ignored": list(call.ignored),
    }


def _describe(call: Call, candidate: Candidate, now: float) -> dict[str, object]:
    return {
        "model": candidate.model.id,
        "reason": candidate.reason,
        "score": candidate.score,
        "doubt": candidate.doubt or None,
        "window_tokens": candidate.window_tokens,
        "prompt_tokens": candidate.prompt_tokens,
        "max_tokens": candidate.max_tokens,
        "expected_output_tokens": candidate.expected_output,
        "expected_cost_usd": candidate.expected_nano / _NANO,
        "maximum_cost_usd": _most(call, candidate, now),
        "price_source": candidate.model.price_at(now).source,
    }


def _describe_excluded(excluded: Excluded) -> dict[str, object]:
    return {"model": excluded.model.id, "obstacle": excluded.obstacle, "reason": excluded.reason}


def _most(call: Call, candidate: Candidate, now: float) -> float:
    price = candidate.model.price_at(now)
    return worst_cost(price, candidate.prompt_tokens, candidate.max_tokens, call.n) / _NANO
