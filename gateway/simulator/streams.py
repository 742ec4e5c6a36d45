"""Writes an answer as the events of a stream, in each of the seven variants seen over the years. Pure.

Events here are JSON texts without framing; `wire` makes bytes of them. Letters are those of the upstream notes:
A oldest native, B native with padding and a usage tail, C native with `tool_calls` everywhere, D native tool call,
E OpenAI chunks with a native tail, F hybrid opening that loses its text, G OpenAI chunks with running totals.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import msgspec

from gateway.simulator.counting import pieces
from gateway.simulator.documents import native_text
from gateway.simulator.scene import Json, Scene, counted
from gateway.simulator.tools import Chosen, nested, shaped


@dataclass(slots=True, frozen=True)
class Event:
    """One event. `text` is the part of the answer inside it."""

    data: bytes
    text: str = ""
    reports_usage: bool = False


def events(scene: Scene) -> Iterator[Event]:
    """All events of the stream, without the end mark."""
    return chain(_VARIANTS[variant_of(scene)](scene), _after(scene))


def variant_of(scene: Scene) -> str:
    """The letter of the variant this call streams in."""
    if scene.switches.variant:
        return scene.switches.variant
    if scene.model.engine == "openai":
        return "E"
    return "D" if scene.answer.calls else "B"


def _event(value: Json, text: str = "", *, reports_usage: bool = False) -> Event:
    return Event(msgspec.json.encode(value), text, reports_usage)


def _texts(scene: Scene) -> list[str]:
    parts = pieces(scene.answer.text)
    step = max(1, scene.switches.per_event)
    return ["".join(parts[index : index + step]) for index in range(0, len(parts), step)]


def _native(text: str, scene: Scene) -> Json:
    return {"response": native_text(text, scene.switches.response)}


def _tail(scene: Scene) -> Iterator[Event]:
    if scene.switches.usage == "none":
        return
    value = {"response": "", "usage": scene.usage.as_json(scene.switches)}
    yield _event(value, reports_usage=scene.switches.usage == "real")


def _after(scene: Scene) -> Iterator[Event]:
    if scene.switches.zero_usage_after:
        yield _event({"response": "", "usage": counted(0, 0, 0, 0, detail=scene.switches.usage_detail)})
    if scene.switches.empty_choices:
        yield _event({"choices": [], "object": "chat.completion.chunk", "model": scene.echo})


def _variant_a(scene: Scene) -> Iterator[Event]:
    for text in _texts(scene):
        yield _event(_native(text, scene), text)
    yield from _native_calls(scene, "flat")


def _variant_b(scene: Scene) -> Iterator[Event]:
    for text in _texts(scene):
        yield _event({**_native(text, scene), **scene.padding("full")}, text)
    yield from _native_calls(scene, "whole")
    if scene.answer.finish == "stop":
        yield _event({"response": ""})
    yield from _tail(scene)


def _variant_c(scene: Scene) -> Iterator[Event]:
    for index, text in enumerate(_texts(scene)):
        yield _event({**_native(text, scene), "tool_calls": [], **scene.padding("gapped")}, text)
        if index == 0:
            yield _event({"tool_calls": [], **scene.padding("gapped")})
    yield from _native_calls(scene, "flat")
    yield from _tail(scene)


def _variant_d(scene: Scene) -> Iterator[Event]:
    for text in _texts(scene):
        yield _event({**_native(text, scene), **scene.padding("full")}, text)
    yield from _native_calls(scene, "whole")
    yield _event({"finish_reason": scene.finish})
    yield from _tail(scene)


def _variant_f(scene: Scene) -> Iterator[Event]:
    opening = {"choices": [{"delta": {"content": "", "role": "assistant"}}], "response": "", "tool_calls": []}
    yield _event(opening)
    if not scene.answer.offers_tools:
        for text in _texts(scene):
            yield _event(_native(text, scene), text)
    yield _event({"choices": [{"delta": {}, "finish_reason": scene.finish}]})
    yield from _tail(scene)


def _native_calls(scene: Scene, default: str) -> Iterator[Event]:
    for members in _call_parts(scene, default):
        carrier: Json = {"response": ""} if "name" in members[0] else {}
        yield _event({**carrier, "tool_calls": members})


def _call_parts(scene: Scene, default: str) -> Iterator[list[Json]]:
    calls, style = scene.answer.calls, scene.switches.tool_stream or default
    if not calls:
        return
    if style == "flat":
        yield shaped(calls, scene.switches.tool_shape or "flat")
        return
    if style == "whole":
        yield [nested(call, index) for index, call in enumerate(calls)]
        return
    for index, call in enumerate(calls):
        yield from _fragments(call, index, arguments_first=style == "arguments_first")
        if scene.switches.null_final:
            yield [{"id": None, "type": None, "index": index, "function": {"name": None, "arguments": ""}}]


def _fragments(call: Chosen, index: int, *, arguments_first: bool) -> Iterator[list[Json]]:
    whole = nested(call, index)
    text = whole["function"]["arguments"]
    opening = [{"id": call.id, "type": "function", "index": index, "function": {"name": call.name}}]
    parts = [[{"index": index, "function": {"arguments": text[at : at + 6]}}] for at in range(0, len(text), 6)]
    yield from [*parts, opening] if arguments_first else [opening, *parts]


def _variant_e(scene: Scene) -> Iterator[Event]:
    chunk = _Chunks(scene, is_cumulative=False)
    yield chunk.opening()
    for text in _texts(scene):
        yield chunk.delta({"content": text, "reasoning_content": None}, text)
    for members in _call_parts(scene, "incremental"):
        yield chunk.delta({"tool_calls": members, "reasoning_content": None})
    yield chunk.ending()
    yield chunk.rest()
    yield from _tail(scene)


def _variant_g(scene: Scene) -> Iterator[Event]:
    chunk = _Chunks(scene, is_cumulative=True)
    yield chunk.opening()
    for text in _texts(scene):
        yield chunk.delta({"content": text}, text)
    for members in _call_parts(scene, "incremental"):
        yield chunk.delta({"tool_calls": members})
    yield chunk.ending()
    yield chunk.rest()


class _Chunks:
    """OpenAI-shaped chunks whose usage adds up, either in increments or in running totals."""

    def __init__(self, scene: Scene, *, is_cumulative: bool) -> None:
        self._scene = scene
        self._is_cumulative = is_cumulative
        self._told = 0

    def opening(self) -> Event:
        return self._chunk(
            [self._choice({"content": "", "reasoning_content": None, "role": "assistant"})], 0, is_first=True
        )

    def delta(self, delta: Json, text: str = "") -> Event:
        room = max(0, self._scene.usage.completion_tokens - self._told - 1)
        return self._chunk([self._choice(delta)], min(1, room), text)

    def ending(self) -> Event:
        choice = {**self._choice({"reasoning_content": None}), "finish_reason": self._scene.finish}
        return self._chunk([choice], 0)

    def rest(self) -> Event:
        """The chunk without choices: it carries what no delta accounted for, the end-of-turn token at least."""
        return self._chunk([], self._scene.usage.completion_tokens - self._told, is_last=True)

    def _choice(self, delta: Json) -> Json:
        return {"delta": delta, "finish_reason": None, "index": 0, "logprobs": None, "matched_stop": None}

    def _chunk(
        self, choices: list[Json], new: int, text: str = "", *, is_first: bool = False, is_last: bool = False
    ) -> Event:
        scene = self._scene
        self._told += new
        value: Json = {
            "choices": choices,
            "created": scene.created,
            "id": scene.id,
            "model": scene.echo,
            "object": "chat.completion.chunk",
            **scene.padding("base36"),
        }
        if scene.switches.usage != "none":
            value["usage"] = self._usage(new, is_first=is_first)
        tells = is_last and self._is_cumulative and scene.switches.usage == "real"
        return _event(value, text, reports_usage=tells)

    def _usage(self, new: int, *, is_first: bool) -> Json:
        usage, switches = self._scene.usage, self._scene.switches
        if switches.usage == "zero":
            return usage.as_json(switches)
        prompt = usage.prompt_tokens if is_first or self._is_cumulative else 0
        completion = self._told if self._is_cumulative else new
        neurons = self._scene.model.neurons(prompt, completion)
        return counted(prompt, completion, usage.cached_tokens, neurons, detail=switches.usage_detail)


_VARIANTS: dict[str, Callable[[Scene], Iterator[Event]]] = {
    "A": _variant_a,
    "B": _variant_b,
    "C": _variant_c,
    "D": _variant_d,
    "E": _variant_e,
    "F": _variant_f,
    "G": _variant_g,
}
