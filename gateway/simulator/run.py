"""The run endpoint: one call from its body to its answer. The story; every decision is made elsewhere."""

import msgspec

from gateway.simulator import plan
from gateway.simulator.counting import Body
from gateway.simulator.delivery import Delivery
from gateway.simulator.errors import Refusal, body, content_type, refusal, through_gateway
from gateway.simulator.exchange import Exchange, Headers, TooLarge
from gateway.simulator.models import SimulatedModel
from gateway.simulator.record import CallRecord
from gateway.simulator.scene import Scene
from gateway.simulator.state import State
from gateway.simulator.switches import BadSwitch, Settings, Switches, parse_markers, parse_settings, resolve

MAX_TOOL_CALLS = 16


async def send_refusal(exchange: Exchange, answer: Refusal, request_id: str, headers: Headers) -> None:
    """Send a refusal in its envelope."""
    if answer.retry_after is not None:
        headers = {**headers, "retry-after": f"{answer.retry_after:g}"}
    data = body(answer, request_id)
    await exchange.reply(answer.status, {**headers, "content-type": content_type(answer)}, data)


async def run(state: State, exchange: Exchange, model_id: str, host: str) -> None:
    """Answer one call; `host` is `api` or `gateway`."""
    try:
        raw = await exchange.body(state.options.max_body_bytes)
    except TooLarge:
        raw = b""
    exchange.watch()
    call = state.open_call(model_id, host, raw)
    try:
        await _Run(state, exchange, call, raw).serve()
    finally:
        if call.end == "running":
            call.end, call.client_gone = "client_gone", True
        state.close_call(call)
        await exchange.unwatch()


class _Run:
    def __init__(self, state: State, exchange: Exchange, call: CallRecord, raw: bytes) -> None:
        self._state = state
        self._exchange = exchange
        self._call = call
        self._raw = raw
        self._holds_slot = False

    async def serve(self) -> None:
        try:
            decoded = msgspec.json.decode(self._raw)
        except msgspec.DecodeError:
            detail = "the body is not valid JSON" if self._raw else "the body is missing or too large"
            await self._refuse(refusal(5006 if self._raw else 3003, self._call.model, detail))
            return
        try:
            switches = resolve(*self._settings(decoded))
        except BadSwitch as trouble:
            await self._refuse(Refusal(0, 400, f"simulator: {trouble}", "B"))
            return
        model = self._state.models.get(self._call.model)
        if model is None:
            await self._refuse(refusal(5007, self._call.model))
            return
        await self._with_switches(decoded, model, switches)

    def _settings(self, decoded: object) -> list[Settings]:
        text = plan.last_user_text(decoded)
        stream = isinstance(decoded, dict) and decoded.get("stream") is True
        rules = self._state.rules.settings(self._call.model, text, stream=stream)
        return [rules, parse_settings(self._exchange.headers.get("x-simulator", "")), parse_markers(text)]

    async def _with_switches(self, decoded: object, model: SimulatedModel, switches: Switches) -> None:
        call, exchange, state = self._call, self._exchange, self._state
        state.record.label(call, switches.tag)
        call.affinity = exchange.headers.get("x-session-affinity", "")
        call.traceparent = exchange.headers.get("traceparent", "")
        call.tracestate = exchange.headers.get("tracestate", "")
        if switches.reset == "request":
            call.end = "reset"
            state.close_call(call)
            await exchange.drop(reset=True)
            return
        await exchange.pause(switches.delay)
        if (
            switches.gate
            and switches.gate_after is None
            and not await exchange.until(state.gates.pass_through(switches.gate))
        ):
            return
        refused = plan.forced_refusal(switches, model)
        refused = refused or plan.check(decoded, model, switches, is_retired=model.id in state.retired)
        now = state.now()
        refused = refused or state.allowance.model_request(model.id, now, state.record.neurons_of(state.today()))
        if refused is not None:
            await self._refuse(refused, switches)
        elif isinstance(decoded, dict):
            await self._on_hardware(decoded, model, switches)

    async def _on_hardware(self, decoded: Body, model: SimulatedModel, switches: Switches) -> None:
        state, exchange = self._state, self._exchange
        if (state.slots.is_busy or switches.queue) and self._rejects_if_busy(decoded):
            await self._refuse(refusal(3040), switches)
            return
        if state.slots.is_full:
            await self._refuse(refusal(3040), switches)
            return
        await exchange.pause(switches.queue)
        if exchange.gone.is_set() or not await exchange.until(state.slots.take()):
            return
        self._holds_slot = True
        try:
            await self._answer(decoded, model, switches)
        finally:
            self._release()

    def _release(self) -> None:
        """Give the slot back, once: before the last byte, so that the next call of the same client finds it free."""
        if self._holds_slot:
            self._holds_slot = False
            self._state.slots.give()

    def _rejects_if_busy(self, decoded: Body) -> bool:
        options = decoded.get("options")
        in_body = isinstance(options, dict) and options.get("rejectIfBusy") is True
        return in_body or self._exchange.query.get("rejectIfBusy") == "true"

    async def _answer(self, decoded: Body, model: SimulatedModel, switches: Switches) -> None:
        state, call = self._state, self._call
        key = (model.id, self._raw)
        cached = state.cached(key) if call.host == "gateway" else None
        if cached is not None:
            await self._from_cache(cached)
            return
        ids = state.tool_call_ids(min(switches.calls, MAX_TOOL_CALLS))
        answer = plan.answer(decoded, model, switches, state.options.count, ids)
        if isinstance(answer, Refusal):
            await self._refuse(answer, switches)
            return
        usage = state.usage(answer, model, switches)
        scene = Scene(answer, usage, switches, model, state.uuid().replace("-", ""), int(state.now()), state.random)
        call.status, call.max_tokens = 200, answer.max_tokens
        call.stream = decoded.get("stream") is True and not switches.json_stream
        delivery = Delivery(state, self._exchange, call, scene, self._release)
        if call.stream:
            await delivery.stream()
            return
        document = await delivery.whole()
        if call.host == "gateway" and call.end == "answered":
            state.remember(key, document)

    async def _from_cache(self, document: bytes) -> None:
        call = self._call
        call.status, call.end = 200, "cached"
        self._state.close_call(call)
        headers = {"cf-ray": call.ray, "content-type": "application/json", "cf-aig-cache-status": "HIT"}
        await self._exchange.reply(200, headers, document)

    async def _refuse(self, answer: Refusal, switches: Switches | None = None) -> None:
        call, exchange = self._call, self._exchange
        if call.host == "gateway" and (switches is None or switches.envelope is None):
            answer = through_gateway(answer)
        call.status, call.code, call.end = answer.status, answer.code, "refused"
        self._state.close_call(call)
        headers = {"cf-ray": call.ray}
        if answer.envelope in ("A", "C", "F", "G"):
            headers["cf-ai-req-id"] = call.id
        if call.host == "gateway":
            headers["cf-aig-log-id"] = call.id
        await send_refusal(exchange, answer, call.id, headers)
