"""Sends a decided answer: whole or as a stream, at its pace, with the trouble the switches ask for.

Owns the moment at which the record is completed: always before the last byte, so the truth is there when a client
has seen the end.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from gateway.simulator import documents, streams, wire
from gateway.simulator.exchange import Exchange, Headers
from gateway.simulator.record import CallRecord, End
from gateway.simulator.scene import Scene
from gateway.simulator.state import State

T = TypeVar("T")

_TROUBLES = ("reset_after", "cut_after", "stop_after", "error_after", "stall_after", "gate_after")


def answer_headers(call: CallRecord, scene: Scene) -> Headers:
    """The headers of an answer that came from the model."""
    headers = {"cf-ray": call.ray}
    if scene.switches.request_id_header:
        headers["cf-ai-req-id"] = call.id
    if call.host == "gateway":
        headers |= {"cf-aig-log-id": call.id, "cf-aig-cache-status": "MISS"}
    return headers


class Delivery:
    """One answer on its way."""

    def __init__(
        self, state: State, exchange: Exchange, call: CallRecord, scene: Scene, release: Callable[[], None]
    ) -> None:
        self._state = state
        self._exchange = exchange
        self._call = call
        self._scene = scene
        self._release = release
        self._slicer = wire.Slicer(scene.switches)
        self._sent_text: list[str] = []
        self._has_reported = False

    async def whole(self) -> bytes:
        """Send the answer as one document, and return it."""
        scene, call = self._scene, self._call
        call.variant = documents.shape_of(scene)
        document = documents.document(scene)
        headers = answer_headers(call, scene) | {"content-type": "application/json"}
        if scene.switches.neurons_header:
            headers["cf-ai-neurons"] = f"{scene.usage.neurons:.2f}"
        if scene.switches.reset == "headers" or scene.switches.cut_bytes is not None:
            await self._part(document, headers)
            return document
        self._has_reported = documents.reports_usage(scene)
        call.bytes_sent = len(document)
        self._settle("answered")
        await self._exchange.reply(200, headers, document)
        return document

    async def _part(self, document: bytes, headers: Headers) -> None:
        """Send the head and at most a part of the document, then break the connection."""
        reset = self._scene.switches.reset == "headers"
        part = b"" if reset else document[: min(self._scene.switches.cut_bytes or 0, len(document) - 1)]
        await self._exchange.start(200, {**headers, "content-length": str(len(document))})
        await self._exchange.write(part)
        self._call.bytes_sent = len(part)
        self._interrupt("reset" if reset else "cut")
        await self._exchange.drop(reset=reset)

    async def stream(self) -> None:
        """Send the answer as events."""
        scene, exchange = self._scene, self._exchange
        await exchange.start(200, answer_headers(self._call, scene) | {"content-type": "text/event-stream"})
        if scene.switches.reset == "headers":
            self._interrupt("reset")
            await exchange.drop(reset=True)
            return
        await exchange.pause(scene.switches.first_delay)
        self._call.variant = variant = streams.variant_of(scene)
        ending = scene.switches.ending or ("bare" if variant == "G" else "done")
        pace = self._state.options.pace_seconds if scene.switches.pace is None else scene.switches.pace
        for frame, is_last in _marking_last(wire.frames(streams.events(scene), scene.switches, ending)):
            if self._call.events_sent:
                await exchange.pause(pace)
            if exchange.gone.is_set() or await self._meet_trouble():
                break
            if not await self._send(frame, is_last=is_last):
                break
        if exchange.gone.is_set():
            self._interrupt("client_gone")

    async def _send(self, frame: wire.Frame, *, is_last: bool) -> bool:
        call, limit = self._call, self._scene.switches.cut_bytes
        if limit is not None and call.bytes_sent + len(frame.data) > limit:
            await self._exchange.write(frame.data[: limit - call.bytes_sent])
            self._interrupt("cut")
            await self._exchange.drop(reset=False)
            return False
        call.bytes_sent += len(frame.data)
        call.events_sent += frame.is_event
        self._sent_text.append(frame.text)
        self._has_reported = self._has_reported or frame.reports_usage
        *slices, final = self._slicer.cut(frame.data)
        for part in slices:
            await self._exchange.write(part)
        if is_last:
            self._settle("answered")
            await self._exchange.end(final)
        else:
            await self._exchange.write(final)
        return True

    async def _meet_trouble(self) -> bool:
        """What the switches put at this place of the stream; True where the stream is over with it."""
        exchange, switches, sent = self._exchange, self._scene.switches, self._call.events_sent
        here = [name for name in _TROUBLES if getattr(switches, name) == sent]
        if not here:
            return False
        if here == ["gate_after"]:
            return not await exchange.until(self._state.gates.pass_through(switches.gate or "gate"))
        kind = here[0]
        if kind == "stall_after":
            await exchange.gone.wait()
        elif kind in ("cut_after", "reset_after"):
            self._interrupt("cut" if kind == "cut_after" else "reset")
            await exchange.drop(reset=kind == "reset_after")
        else:
            self._interrupt("stopped" if kind == "stop_after" else "error_event")
            await exchange.end(wire.error_event(switches) if kind == "error_after" else b"")
        return True

    def _settle(self, end: End, produced_tokens: int | None = None) -> None:
        """Complete the record with what the answer reported or, where it did not get to that, with what it produced."""
        call, scene = self._call, self._scene
        call.counted_prompt_tokens = scene.answer.prompt_tokens
        call.counted_completion_tokens = scene.answer.completion_tokens if produced_tokens is None else produced_tokens
        call.usage_reported = self._has_reported
        if self._has_reported:
            call.prompt_tokens, call.completion_tokens = scene.usage.prompt_tokens, scene.usage.completion_tokens
            call.cached_tokens, call.neurons = scene.usage.cached_tokens, scene.usage.neurons
        else:
            call.prompt_tokens, call.completion_tokens = call.counted_prompt_tokens, call.counted_completion_tokens
            call.neurons = scene.model.neurons(call.prompt_tokens, call.completion_tokens)
        call.finish = scene.finish if produced_tokens is None or self._has_reported else None
        call.end = end
        self._state.close_call(call)
        self._release()

    def _interrupt(self, end: End) -> None:
        """Complete the record of an answer that did not reach its end, unless it is complete already."""
        if self._call.end == "running":
            self._call.client_gone = end == "client_gone"
            self._settle(end, self._state.options.count("".join(self._sent_text)))


def _marking_last(items: Iterator[T]) -> Iterator[tuple[T, bool]]:
    """Each item with whether it is the last."""
    previous = next(items, None)
    for item in items:
        if previous is not None:
            yield previous, False
        previous = item
    if previous is not None:
        yield previous, True
