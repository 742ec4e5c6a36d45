"""Decides how a call is answered before anything is sent: refused, or with which words, calls and counts. Pure.

The order of the checks is the upstream's: model known, model alive, body valid, JSON mode possible, window large
enough. Account limits and busy hardware are the endpoint's business, since they depend on the moment.
"""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gateway.simulator import talk, tools
from gateway.simulator.counting import Body, Count, cut_to_tokens, gate_estimate, prompt_tokens
from gateway.simulator.errors import Refusal, refusal, too_long
from gateway.simulator.instance import Unsatisfiable, minimal_instance
from gateway.simulator.models import SimulatedModel
from gateway.simulator.schema import complaints
from gateway.simulator.switches import Switches, without_markers

DEFAULT_MAX_TOKENS = 256
_HEARD_CHARACTERS = 8_000  # answers depend on patterns, whose cost must not grow with the prompt
_LEAKS = ("leak", "leak_list", "leak_siblings", "leak_tag")
_WRAPPER_KEYS = frozenset({"name", "schema", "strict", "description"})


@dataclass(slots=True, frozen=True)
class Answer:
    """What the model says. Token counts are true ones, without the run's secret offset."""

    text: str
    calls: tuple[tools.Chosen, ...]
    finish: str
    prompt_tokens: int
    completion_tokens: int
    max_tokens: int
    json_value: Any = None  # in JSON mode, the value `text` spells
    offers_tools: bool = False


def last_user_text(body: object) -> str:
    """The text markers are looked for in: the last user message or the prompt, "" where there is none."""
    if not isinstance(body, dict):
        return ""
    messages = body.get("messages")
    turns = messages if isinstance(messages, list) else [{"role": "user", "content": body.get("prompt")}]
    for turn in reversed(turns):
        if isinstance(turn, dict) and turn.get("role") == "user":
            content = turn.get("content")
            return content if isinstance(content, str) else ""
    return ""


def forced_refusal(switches: Switches, model: SimulatedModel) -> Refusal | None:
    """The refusal the switches ask for outright."""
    code = 5028 if switches.retired else switches.error
    if code is None and switches.http is None:
        return None
    if code is None:
        answer = Refusal(0, switches.http or 500, "Bad gateway", "html")
    elif code in (5021, 3010):
        answer = too_long(code, model.window_tokens * 2, model.window_tokens)
    elif code == 5028:
        answer = _retired(model)
    else:
        answer = refusal(code, model.id, "simulated")
    return replace(
        answer,
        status=switches.status or answer.status,
        envelope=switches.envelope or answer.envelope,
        text=answer.text if switches.message is None else switches.message,
        retry_after=switches.retry_after,
    )


def _retired(model: SimulatedModel) -> Refusal:
    backend, date = model.backend or model.id, model.deprecated_on or "2026-05-30"
    return refusal(5028, detail=f"{backend} was deprecated on {date}.")


def check(body: object, model: SimulatedModel, switches: Switches, *, is_retired: bool) -> Refusal | None:
    """The refusal this body earns by itself, None where the model would answer."""
    if is_retired:
        return _retired(model)
    reasons = complaints(body, model.rules)
    if reasons is not None:
        return refusal(5006, detail=reasons)
    if not isinstance(body, dict):
        raise AssertionError("the schema accepts objects only")
    return _check_json_mode(body, model, switches) or _check_lora(body, model) or _check_window(body, model, switches)


def _check_json_mode(body: Body, model: SimulatedModel, switches: Switches) -> Refusal | None:
    wanted = body.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") not in ("json_object", "json_schema"):
        return None
    if not (model.json_mode if switches.json_mode is None else switches.json_mode):
        return refusal(5025)
    if body.get("stream"):
        return refusal(5023)
    if _is_wrapped(wanted.get("json_schema")) and switches.wrapped == "refuse":
        return refusal(5024)
    return None


def _is_wrapped(schema: object) -> bool:
    return isinstance(schema, dict) and "schema" in schema and schema.keys() <= _WRAPPER_KEYS


def _check_lora(body: Body, model: SimulatedModel) -> Refusal | None:
    return refusal(5005, model.id) if body.get("lora") and "prompt" in body and not model.loras else None


def _check_window(body: Body, model: SimulatedModel, switches: Switches) -> Refusal | None:
    window = switches.window or model.window_tokens
    requested = gate_estimate(body) + body.get("max_tokens", DEFAULT_MAX_TOKENS)
    if requested <= window:
        return None
    return too_long(3010 if switches.old_length_code else 5021, requested, window)


def answer(body: Body, model: SimulatedModel, switches: Switches, count: Count, ids: list[str]) -> Answer | Refusal:
    """What the model says to a valid body; `ids` are for its tool calls. A refusal where JSON cannot be met."""
    draft = Answer(
        text="",
        calls=(),
        finish="stop",
        prompt_tokens=prompt_tokens(body, model, count),
        completion_tokens=0,
        max_tokens=max(0, int(body.get("max_tokens", DEFAULT_MAX_TOKENS))),
        offers_tools=bool(body.get("tools")),
    )
    wanted = body.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type"):
        return _as_json(draft, body, wanted, switches, count)
    calls = _calls(body, switches, ids)
    if calls and switches.tool_shape is not None and switches.tool_shape in _LEAKS:
        return _cut(draft, tools.leaked(calls, switches.tool_shape), count)
    if calls:
        spent = count(tools.leaked(calls, "leak")) + 1
        return replace(draft, calls=calls, finish="tool_calls", completion_tokens=min(spent, draft.max_tokens))
    return _cut(draft, _text(body, switches, draft.max_tokens), count)


def _cut(draft: Answer, text: str, count: Count) -> Answer:
    spent = count(text) + 1  # the end-of-turn token is a completion token
    if spent <= draft.max_tokens:
        return replace(draft, text=text, completion_tokens=spent)
    kept = cut_to_tokens(text, draft.max_tokens, count)
    return replace(draft, text=kept, finish="length", completion_tokens=draft.max_tokens)


def _text(body: Body, switches: Switches, max_tokens: int) -> str:
    if switches.text is not None:
        return switches.text
    if switches.tokens is not None:
        return " word" * min(switches.tokens, max_tokens + 1)
    messages = body.get("messages", [])
    if tools.is_result_turn(messages):
        return tools_reply(messages)
    return talk.reply(_heard(body))


def tools_reply(messages: list[Body]) -> str:
    """The answer after a tool has spoken."""
    last = messages[-1]
    called = {str(call["id"]): call.get("name") for turn in messages for call in tools.written_calls(turn)}
    name = str(last.get("name") or called.get(str(last.get("tool_call_id"))) or "")
    return talk.reply_to_tool(name, last["content"])


def _heard(body: Body) -> str:
    """What of the prompt the model listens to: markers left out, and not more than a few pages."""
    return without_markers(last_user_text(body))[:_HEARD_CHARACTERS]


def _calls(body: Body, switches: Switches, ids: list[str]) -> tuple[tools.Chosen, ...]:
    offered = tools.offers(body)
    if not offered or switches.tool_call == "none" or tools.is_result_turn(body.get("messages", [])):
        return ()
    prompt = _heard(body)
    named = next((tool for tool in offered if tool.name == switches.tool_call), None)
    tool = named or (offered[0] if switches.tool_call else tools.pick(prompt, offered))
    if tool is None or switches.text is not None:
        return ()
    arguments = tools.arguments_for(prompt, tool)
    if switches.numeric_strings:
        arguments = tools.with_numbers_as_text(arguments)
    return tuple(tools.Chosen(ids[index], tool.name, arguments) for index in range(min(switches.calls, len(ids))))


def _as_json(draft: Answer, body: Body, wanted: Body, switches: Switches, count: Count) -> Answer | Refusal:
    schema = wanted.get("json_schema")
    if _is_wrapped(schema):
        schema = schema["schema"] if isinstance(schema, dict) and switches.wrapped == "accept" else None
    prompt = _heard(body)
    try:
        if switches.text is not None:
            value = msgspec.json.decode(switches.text)
        elif wanted["type"] == "json_object" and schema is None:
            value = {"answer": talk.reply(prompt)}
        else:
            value = minimal_instance(True if schema is None else schema, tools.prompt_filler(prompt))
    except (Unsatisfiable, msgspec.DecodeError):
        return refusal(5024)
    text = switches.text if switches.text is not None else tools.dumped(value)
    cut = _cut(draft, text, count)
    return refusal(5024) if cut.finish == "length" else replace(cut, json_value=value)
