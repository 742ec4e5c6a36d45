"""A call as the body of one `ai/run` request.

Decides what is sent, what is changed to fit the model (and names it), and what is left to emulation: stop strings,
several choices, forced tools and streamed structured output are never the upstream's business. `max_tokens` is always
explicit, because the upstream's default is a silent 256. Unset sampling parameters are not sent: the upstream's own
defaults hold (temperature 0.6).
"""

from typing import Any, Final

import msgspec

from gateway.core.call import Call, ResponseFormat
from gateway.core.catalog import Model
from gateway.core.contracts import Outbound
from gateway.core.demands import allowed_tools
from gateway.core.templates import join_raw, render_prompt
from gateway.upstreams.workers_ai.prompts import spoken, turns
from gateway.upstreams.workers_ai.tools import outbound_tools

Body = dict[str, Any]  # JSON of the upstream's schema, encoded at once

_SEEDS: Final = 9_999_999_999  # the upstream accepts 1 … this
_CLAMPED: Final = (
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
)

_encode = msgspec.json.Encoder().encode


def request(call: Call, model: Model, max_tokens: int) -> Outbound:
    """The request that answers `call` with `model`; `max_tokens` is what was granted."""
    # What was promised about the answer's form is judged before anybody sees it; JSON mode would not stream (5023).
    must_call = call.tool_choice.mode == "required" and bool(call.tools)
    streams = call.stream and call.response_format is None and not must_call
    is_native = _has_native_json(model)
    body = _input(call, model, describe_format=not is_native)
    sampling, changed = _sampling(call, model)
    body |= sampling
    body["max_tokens"] = max_tokens
    body["stream"] = streams
    if call.response_format is not None and is_native:
        body["response_format"] = _response_format(call.response_format)
    return Outbound(f"/ai/run/{model.id}", _encode(body), changed, streams)


def _input(call: Call, model: Model, *, describe_format: bool) -> Body:
    if call.raw and call.lora is None:
        return {"prompt": join_raw(call.messages), "raw": True}
    messages = spoken(call, describe_format=describe_format)
    if call.lora is not None:
        # LoRA exists in the prompt form only, so the template is applied here and not again upstream.
        prompt = join_raw(call.messages) if call.raw else render_prompt(model.template, messages)
        return {"prompt": prompt, "raw": True, "lora": call.lora}
    body: Body = {"messages": turns(messages)}
    tools = allowed_tools(call)
    if tools:
        body["tools"] = outbound_tools(tools, model.tools_shape)
    return body


def _sampling(call: Call, model: Model) -> tuple[Body, tuple[str, ...]]:
    """The parameters to send, and the names of those that had to be changed."""
    body: Body = {}
    changed: list[str] = []
    for name in _CLAMPED:
        wanted = getattr(call.sampling, name)
        if wanted is None:
            continue
        allowed = model.ranges.get(name)
        sent = wanted if allowed is None else min(max(wanted, allowed.minimum), allowed.maximum)
        if sent != wanted:
            changed.append(name)
        body[name] = int(sent) if name == "top_k" else sent
    if call.sampling.seed is not None:
        body["seed"] = (call.sampling.seed - 1) % _SEEDS + 1
    return body, tuple(changed)


def _has_native_json(model: Model) -> bool:
    return model.json_mode == "native" or (model.json_mode == "auto" and "json" in model.capabilities)


def _response_format(wanted: ResponseFormat) -> Body:
    """The bare schema: OpenAI's wrapper around it breaks native models; its name survives as the title."""
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    schema = wanted.schema
    if isinstance(schema, dict) and wanted.name and "title" not in schema:
        schema = {**schema, "title": wanted.name}
    return {"type": "json_schema", "json_schema": schema}
