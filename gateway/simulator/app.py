"""The ASGI app: checks credentials as Cloudflare's edge does and leads each path to its endpoint.

A plain callable, one table of routes; it keeps nothing but the state it was made with.
"""

import re
import secrets
from collections.abc import Awaitable, Callable

import msgspec

from gateway.simulator import catalogue
from gateway.simulator.control import control
from gateway.simulator.errors import Refusal, refusal
from gateway.simulator.exchange import Exchange, Message, Receive, Send
from gateway.simulator.options import SimulatorOptions
from gateway.simulator.run import run, send_refusal
from gateway.simulator.state import State

Endpoint = Callable[[State, Exchange, "re.Match[str]"], Awaitable[None]]

_JSON = {"content-type": "application/json"}


async def _run_api(state: State, exchange: Exchange, match: "re.Match[str]") -> None:
    await run(state, exchange, match["model"], "api")


async def _run_gateway(state: State, exchange: Exchange, match: "re.Match[str]") -> None:
    await run(state, exchange, match["model"], "gateway")


async def _search(state: State, exchange: Exchange, _match: "re.Match[str]") -> None:
    page = catalogue.search(state.models.values(), exchange.query)
    await exchange.reply(200, _JSON, msgspec.json.encode(page))


async def _analytics(state: State, exchange: Exchange, _match: "re.Match[str]") -> None:
    try:
        body = msgspec.json.decode(await exchange.body(state.options.max_body_bytes), type=dict)
    except msgspec.DecodeError as trouble:
        answer: catalogue.Json = {"data": None, "errors": [{"message": str(trouble)}]}
    else:
        answer = catalogue.analytics(state.record.days, body)
    await exchange.reply(200, _JSON, msgspec.json.encode(answer))


ROUTES: tuple[tuple[str, re.Pattern[str], Endpoint], ...] = (
    ("POST", re.compile(r"/client/v4/accounts/(?P<account>[^/]+)/ai/run/(?P<model>@?[\w./-]+)"), _run_api),
    ("GET", re.compile(r"/client/v4/accounts/(?P<account>[^/]+)/ai/models/search"), _search),
    ("POST", re.compile(r"/client/v4/graphql"), _analytics),
    ("POST", re.compile(r"/v1/(?P<account>[^/]+)/[^/]+/workers-ai/(?:run/)?(?P<model>@[\w./-]+)"), _run_gateway),
)


class SimulatorApp:
    """The app and its state; `state` is what an embedding test may look at."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.state = State(options)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(Exchange(scope, receive, send))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif kind == "lifespan.shutdown":
                self.state.record.flush()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.path.startswith("/simulator/"):
            await control(self.state, exchange)
            return
        for method, pattern, endpoint in ROUTES:
            match = pattern.fullmatch(exchange.path)
            if match and method == exchange.method:
                refused = self._edge(exchange, match.groupdict().get("account"))
                if refused is None:
                    await endpoint(self.state, exchange, match)
                else:
                    await self._refuse(exchange, refused)
                return
        await self._refuse(exchange, refusal(7000))

    def _edge(self, exchange: Exchange, account: str | None) -> Refusal | None:
        """What the edge decides before any product sees the request."""
        options = self.state.options
        kind, _, token = exchange.headers.get("authorization", "").partition(" ")
        is_known = secrets.compare_digest(token.encode(), options.api_token.encode()) and kind.lower() == "bearer"
        if not is_known or account not in (None, options.account_id):
            return refusal(10000 if exchange.path.startswith("/client/") else 2009)
        return self.state.allowance.api_request(self.state.now())

    async def _refuse(self, exchange: Exchange, answer: Refusal) -> None:
        ray = {"cf-ray": f"{self.state.random.getrandbits(64):016x}-SIM"}
        await send_refusal(exchange, answer, self.state.uuid(), ray)


def create_app(options: SimulatorOptions) -> SimulatorApp:
    """A simulator as an ASGI app. Raises BadSwitch where the scenario file cannot be read."""
    return SimulatorApp(options)
