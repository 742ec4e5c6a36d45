"""Turns the decoded body of a chat completion request into a `Call`, or refuses it by name.

Single values are read by the parameter table; here is what holds between parameters. Nothing vanishes: a parameter
without effect is named in `Call.ignored`.
"""

import re
from collections.abc import Iterable
from typing import Any

from gateway.core.call import Call, Sampling, Tool, ToolChoice
from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat import refusals
from gateway.surfaces.chat.formats import check_json_is_mentioned
from gateway.surfaces.chat.parameters import BY_NAME
from gateway.surfaces.chat.readers import read_bool
from gateway.surfaces.chat.tools import check_choice

SURFACE = "chat"

_MAX_MODEL_CHARS = 256  # the name comes back in errors, headers and rows
_MAX_IGNORED = 32  # names; they go into a header, which has to stay small
_is_shown = re.compile(r"[A-Za-z0-9_.$\[\]-]{1,64}").fullmatch
_SAMPLING = frozenset(
    {"temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty", "repetition_penalty"}
)
_NO_SAMPLING = Sampling()
_FREE_CHOICE = ToolChoice()
_NOT_AN_OBJECT = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload whose root is an object.)"
)
_STREAM_OPTIONS = "The 'stream_options' parameter is only allowed when 'stream' is enabled."

Values = dict[str, Any]  # each reader has its own type
"""What the readers of the table returned, by parameter."""


def parse(body: Any) -> Call:  # any decoded JSON value
    """The canonical call. Raises `InvalidRequest` with OpenAI's text, code and param."""
    if type(body) is not dict:
        raise InvalidRequest(_NOT_AN_OBJECT)
    model = body.get("model")
    if model is None or model == "":
        raise InvalidRequest("you must provide a model parameter")
    if type(model) is not str:
        raise refusals.wrong_type("model", "a string", model)
    if len(model) > _MAX_MODEL_CHARS:
        raise refusals.long_string("model", _MAX_MODEL_CHARS, len(model))
    if body.get("messages") is None:
        raise refusals.missing("messages")
    values: Values = {}
    ignored: list[str] = []
    for name, value in body.items():
        if value is None:
            continue
        parameter = BY_NAME.get(name)
        if parameter is None:
            ignored.append(name)
        elif parameter.read is not None:
            values[name] = parameter.read(value, name)
        elif parameter.effect == "ignored" and value not in parameter.neutral:
            ignored.append(name)
    return _build(model, values, ignored)


def _build(model: str, values: Values, ignored: list[str]) -> Call:
    take = values.get
    messages, unused_fields = values["messages"]
    ignored += unused_fields
    tools, choice, legacy = _read_toolset(values, ignored)
    parallel = take("parallel_tool_calls", True)
    response_format = take("response_format")
    if response_format is not None and response_format.kind == "json_object":
        check_json_is_mentioned(messages)
    if "max_completion_tokens" in values and "max_tokens" in values:
        ignored.append("max_tokens")
    return Call(
        surface=SURFACE,
        requested_model=model,
        messages=messages,
        stream=take("stream", False),
        include_usage=_read_include_usage(values, ignored),
        max_tokens=take("max_completion_tokens", take("max_tokens")),
        sampling=_NO_SAMPLING if _SAMPLING.isdisjoint(values) else _read_sampling(values),
        stop=take("stop", ()),
        n=take("n", 1),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel and not legacy,  # the legacy form has room for one call
        legacy_functions=legacy,
        response_format=response_format,
        raw=take("raw", False),
        lora=take("lora"),
        tags=_read_tags(values),
        ignored=_list_ignored(ignored) if ignored else (),
    )


def _read_sampling(values: Values) -> Sampling:
    return Sampling(**{name: values[name] for name in _SAMPLING if name in values})


def _read_toolset(values: Values, ignored: list[str]) -> tuple[tuple[Tool, ...], ToolChoice, bool]:
    """The tools, the choice among them, and whether the client spoke the legacy form."""
    tools, unused = values.get("tools", ((), ()))
    functions, unused_legacy = values.get("functions", ((), ()))
    if functions and not tools:
        ignored += unused_legacy
        ignored += [name for name in ("tool_choice",) if name in values]
        choice = values.get("function_call", _FREE_CHOICE)
        check_choice(choice, functions, "function_call", "functions")
        return functions, choice, True
    if "function_call" in values:
        _check_is_harmless("function_call", "functions", values)
        ignored.append("function_call")
    if "functions" in values:
        ignored.append("functions")
    if tools:
        ignored += unused
        choice = values.get("tool_choice", _FREE_CHOICE)
        check_choice(choice, tools, "tool_choice", "tools")
        return tools, choice, False
    if "tool_choice" in values:
        _check_is_harmless("tool_choice", "tools", values)
        ignored.append("tool_choice")
    if values.get("parallel_tool_calls") is False:
        ignored.append("parallel_tool_calls")
    return (), _FREE_CHOICE, False


def _check_is_harmless(name: str, needed: str, values: Values) -> None:
    """Refuses a choice without anything to choose from.

    Beside an empty array a choice that forces nothing may stand: clients build both from the same empty list.
    """
    if needed not in values or values[name].mode == "required":
        raise refusals.out_of_place(name, needed)


def _read_include_usage(values: Values, ignored: list[str]) -> bool:
    options = values.get("stream_options")
    if options is None:
        return False
    if not values.get("stream"):
        raise InvalidRequest(_STREAM_OPTIONS, param="stream_options")
    ignored += [f"stream_options.{key}" for key in options if key != "include_usage" and options[key]]
    wanted = options.get("include_usage")
    return wanted is not None and read_bool(wanted, "stream_options.include_usage")


def _read_tags(values: Values) -> tuple[tuple[str, str], ...]:
    tags = [(name, values[name]) for name in ("user", "safety_identifier") if values.get(name)]
    tags += [(f"metadata.{key}", text) for key, text in values.get("metadata", {}).items()]
    return tuple(tags)


def _list_ignored(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct names, few enough and plain enough to stand in a header: a client must not write headers of ours."""
    shown = list(dict.fromkeys(name if _is_shown(name) else "(unprintable)" for name in names))
    if len(shown) > _MAX_IGNORED:
        shown = [*shown[:_MAX_IGNORED], "(and-more)"]
    return tuple(shown)
