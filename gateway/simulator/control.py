"""The simulator's own endpoints under `/simulator`: record, scenario, gates, clock. They need no credentials."""

from collections.abc import Awaitable, Callable

import msgspec

from gateway.simulator.exchange import Exchange
from gateway.simulator.scenario import Scenario, parse_scenario
from gateway.simulator.state import State
from gateway.simulator.switches import BadSwitch

Endpoint = Callable[[State, Exchange], Awaitable[None]]


class ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    """Move the simulator's clock forward by seconds."""

    advance: float


async def _json(exchange: Exchange, value: object, status: int = 200) -> None:
    await exchange.reply(status, {"content-type": "application/json"}, msgspec.json.encode(value))


async def healthz(_state: State, exchange: Exchange) -> None:
    """Alive."""
    await _json(exchange, {"status": "ok"})


async def read_record(state: State, exchange: Exchange) -> None:
    """The truth, after sequence number `since`."""
    since = exchange.query.get("since", "0")
    await _json(exchange, state.record.summary(int(since) if since.isdigit() else 0))


async def clear_record(state: State, exchange: Exchange) -> None:
    """Forget ended calls."""
    state.record.clear()
    await _json(exchange, {"cleared": True})


async def read_scenario(state: State, exchange: Exchange) -> None:
    """The rules in force."""
    await _json(exchange, {"rules": state.rules.rules, "retired": sorted(state.retired)})


async def write_scenario(state: State, exchange: Exchange) -> None:
    """Replace the rules by those of the body, YAML or JSON."""
    try:
        state.apply(parse_scenario(await exchange.body(state.options.max_body_bytes)))
    except BadSwitch as trouble:
        await _json(exchange, {"error": str(trouble)}, 400)
        return
    await read_scenario(state, exchange)


async def clear_scenario(state: State, exchange: Exchange) -> None:
    """Go back to faithful behaviour."""
    state.apply(Scenario())
    await read_scenario(state, exchange)


async def move_clock(state: State, exchange: Exchange) -> None:
    """Advance the clock, so that windows and days end without waiting."""
    try:
        change = msgspec.json.decode(await exchange.body(state.options.max_body_bytes), type=ClockChange)
    except msgspec.DecodeError as trouble:
        await _json(exchange, {"error": str(trouble)}, 400)
        return
    state.clock_shift += change.advance
    await _json(exchange, {"now": state.now()})


async def read_gates(state: State, exchange: Exchange) -> None:
    """How many calls wait at which gate."""
    await _json(exchange, {"waiting": state.gates.waiting})


async def open_gate(state: State, exchange: Exchange) -> None:
    """Let everybody through a gate."""
    state.gates.open(exchange.path.removeprefix("/simulator/gates/"))
    await read_gates(state, exchange)


async def close_gate(state: State, exchange: Exchange) -> None:
    """Make later calls wait at a gate again."""
    state.gates.close(exchange.path.removeprefix("/simulator/gates/"))
    await read_gates(state, exchange)


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "healthz"): healthz,
    ("GET", "record"): read_record,
    ("DELETE", "record"): clear_record,
    ("GET", "scenario"): read_scenario,
    ("POST", "scenario"): write_scenario,
    ("DELETE", "scenario"): clear_scenario,
    ("POST", "clock"): move_clock,
    ("GET", "gates"): read_gates,
    ("POST", "gates"): open_gate,
    ("DELETE", "gates"): close_gate,
}
"""Method and first path segment under `/simulator` → endpoint."""


async def control(state: State, exchange: Exchange) -> None:
    """Serve one request under `/simulator`."""
    name = exchange.path.removeprefix("/simulator/").partition("/")[0]
    endpoint = ENDPOINTS.get((exchange.method, name))
    if endpoint is None:
        await _json(exchange, {"error": f"no {exchange.method} {exchange.path} here"}, 404)
        return
    await endpoint(state, exchange)
