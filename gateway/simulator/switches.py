"""The switches that change how one call is answered, and the small language they are written in. Pure.

Three places carry them, the later ones winning: scenario rules, the `x-simulator` header, and markers
`[[sim: name=value name="quoted value" flag]]` in the last user message. A misspelt switch is an error, never ignored.
"""

import re
from typing import Annotated, Any, Literal

import msgspec

from gateway.simulator.errors import Envelope

Settings = dict[str, Any]  # switch name → text, number or flag, as a rule, header or marker wrote it

Status = Annotated[int, msgspec.Meta(ge=200, le=599)]
Positive = Annotated[int, msgspec.Meta(ge=1)]

_MARKER = re.compile(r"\[\[sim:(.*?)\]\]", re.DOTALL)
_SETTING = re.compile(r'\s*([a-z_]+)(?:=("(?:[^"\\]|\\.)*"|[^\s;"]+))?[\s;]*')


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one call is answered. Defaults are the faithful behaviour of the called model. Seconds are floats.

    Event numbers count the data events of a stream from 1; `after=0` means before the first.
    """

    # what is answered
    text: str | None = None
    tokens: int | None = None
    finish: str | None = None
    tool_call: str | None = None
    calls: Positive = 1
    numeric_strings: bool = False
    tag: str = ""
    # shape of the answer
    variant: Literal["A", "B", "C", "D", "E", "F", "G"] | None = None
    shape: Literal["classic", "usage", "hybrid", "openai"] | None = None
    response: Literal["auto", "string", "number", "object", "boolean", "null", "missing"] = "auto"
    tool_shape: (
        Literal["flat", "string", "parameters", "nested", "leak", "leak_list", "leak_siblings", "leak_tag"] | None
    ) = None
    tool_stream: Literal["whole", "incremental", "arguments_first", "flat"] | None = None
    null_final: bool = False
    json_stream: bool = False
    echo: str | None = None
    usage: Literal["real", "none", "zero"] = "real"
    zero_usage_after: bool = False
    usage_detail: bool = True
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int = 0
    neurons: float | None = None
    neurons_header: bool = True
    request_id_header: bool = True
    # bytes of a stream
    padding: Literal["gapped", "full", "base36", "none"] | None = None
    per_event: Positive = 1
    newline: Literal["lf", "crlf", "cr"] = "lf"
    space: bool = True
    comment_every: int = 0
    empty_choices: bool = False
    ending: Literal["done", "bare", "missing", "no_blank", "no_newline"] | None = None
    slice_every: Positive | None = None
    slice_at: Annotated[str, msgspec.Meta(pattern=r"^[\d,]*$")] = ""
    # trouble
    error: int | None = None
    status: Status | None = None
    envelope: Envelope | None = None
    message: str | None = None
    retry_after: float | None = None
    http: Status | None = None
    success_false: bool = False
    reset: Literal["request", "headers"] | None = None
    reset_after: int | None = None
    cut_after: int | None = None
    cut_bytes: int | None = None
    stop_after: int | None = None
    error_after: int | None = None
    stall_after: int | None = None
    # time
    delay: float = 0
    first_delay: float = 0
    pace: float | None = None
    queue: float = 0
    gate: str | None = None
    gate_after: int | None = None
    # admission
    window: int | None = None
    old_length_code: bool = False
    retired: bool = False
    json_mode: bool | None = None
    wrapped: Literal["refuse", "ignore", "accept"] = "refuse"


class BadSwitch(ValueError):
    """A switch that does not exist, or a value it does not take. The text says which."""


def parse_settings(text: str) -> Settings:
    """`name=value; name="a b" flag` as a dict of texts; a flag alone is `true`. Raises BadSwitch."""
    settings: Settings = {}
    position = 0
    text = text.strip()
    while position < len(text):
        match = _SETTING.match(text, position)
        if match is None:
            raise BadSwitch(f"cannot read switches at {text[position : position + 40]!r}")
        name, value = match.groups()
        settings[name] = "true" if value is None else _unquoted(value)
        position = match.end()
    return settings


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return msgspec.json.decode(value, type=str, strict=False)
    except msgspec.DecodeError as trouble:
        raise BadSwitch(f"bad quoted value {value}: {trouble}") from trouble


def parse_markers(text: str) -> Settings:
    """All switches of all markers in a text; later markers win."""
    settings: Settings = {}
    if "[[sim:" in text:
        for match in _MARKER.finditer(text):
            settings.update(parse_settings(match.group(1)))
    return settings


def without_markers(text: str) -> str:
    """The text a talking model should see."""
    return _MARKER.sub("", text).strip() if "[[sim:" in text else text


def resolve(*layers: Settings) -> Switches:
    """One set of switches from layers of settings, later layers winning. Raises BadSwitch."""
    merged: Settings = {}
    for layer in layers:
        merged.update(layer)
    try:
        return msgspec.convert(merged, Switches, strict=False)
    except msgspec.ValidationError as trouble:
        raise BadSwitch(str(trouble)) from trouble
