"""Writes an answer as one JSON document in each of the four result shapes, inside the success envelope. Pure."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.simulator.scene import Json, Scene
from gateway.simulator.tools import shaped

_BARE_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})")


def envelope(result: Json, *, success: bool = True) -> bytes:
    """A result in Cloudflare's success envelope."""
    return msgspec.json.encode({"result": result, "success": success, "errors": [], "messages": []})


def document(scene: Scene) -> bytes:
    """The whole non-streamed answer."""
    return envelope(_SHAPES[shape_of(scene)](scene), success=not scene.switches.success_false)


def shape_of(scene: Scene) -> str:
    """The name of the result shape this call gets."""
    return scene.switches.shape or ("hybrid" if scene.model.engine == "openai" else "usage")


def is_bare_number(text: str) -> bool:
    """Whether the native engine turns this text into a JSON number."""
    return _BARE_NUMBER.fullmatch(text) is not None


def native_text(text: str, kind: str) -> Any:  # the native engine puts any JSON value into `response`
    """A text as the native engine writes it: bare numbers lose their quotes unless `kind` is `string`."""
    if kind == "string" or not is_bare_number(text):
        return text
    return int(text)


def _response(scene: Scene) -> Json:
    kind, answer = scene.switches.response, scene.answer
    forced: dict[str, Json] = {
        "missing": {},
        "null": {"response": None},
        "number": {"response": 42},
        "boolean": {"response": True},
        "object": {"response": {"answer": answer.text}},
    }
    if kind in forced:
        return forced[kind]
    if answer.calls:
        return {"response": None}
    if answer.json_value is not None and kind != "string":
        return {"response": answer.json_value}
    return {"response": native_text(answer.text, kind)}


def _classic(scene: Scene) -> Json:
    return {**_response(scene), **_calls(scene, "flat")}


def _with_usage(scene: Scene) -> Json:
    return {**_response(scene), "tool_calls": [], **_calls(scene, "flat"), **_usage(scene)}


def _hybrid(scene: Scene) -> Json:
    return {
        "choices": [_choice(scene)],
        "model": scene.echo,
        "object": "chat.completion",
        **_response(scene),
        **_calls(scene, "flat"),
        **_usage(scene),
    }


def _openai(scene: Scene) -> Json:
    return {
        "choices": [{"finish_reason": scene.finish, "logprobs": None, **_choice(scene)}],
        "created": scene.created,
        "id": scene.id,
        "model": scene.echo,
        "object": "chat.completion",
        **_usage(scene),
    }


def _choice(scene: Scene) -> Json:
    message: Json = {"role": "assistant", "content": scene.answer.text}
    if scene.answer.calls:
        shape = scene.switches.tool_shape or "nested"
        message = {"role": "assistant", "content": None, "tool_calls": shaped(scene.answer.calls, shape)}
    choice: Json = {"index": 0, "message": message}
    if scene.switches.finish or scene.answer.calls:
        choice["finish_reason"] = scene.finish
    return choice


def _calls(scene: Scene, default: str) -> Json:
    if not scene.answer.calls:
        return {}
    return {"tool_calls": shaped(scene.answer.calls, scene.switches.tool_shape or default)}


def _usage(scene: Scene) -> Json:
    return {} if scene.switches.usage == "none" else {"usage": scene.usage.as_json(scene.switches)}


_SHAPES: dict[str, Callable[[Scene], Json]] = {
    "classic": _classic,
    "usage": _with_usage,
    "hybrid": _hybrid,
    "openai": _openai,
}


def reports_usage(scene: Scene) -> bool:
    """Whether the document tells what the call used."""
    return shape_of(scene) != "classic" and scene.switches.usage == "real" and not scene.switches.success_false
