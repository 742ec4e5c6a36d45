"""The canonical request: what routing and upstreams see, whatever dialect the client spoke."""

from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.core.answer import ToolCall

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(slots=True, frozen=True)
class Message:
    """One turn. `content` is plain text (parts are joined by the surface); roles are reduced to the four above."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(slots=True, frozen=True)
class Tool:
    """A function the model may call. `parameters` is its JSON Schema, {} where the client gave none."""

    name: str
    description: str
    parameters: dict[str, Any]  # a client's JSON Schema has no fixed shape


@dataclass(slots=True, frozen=True)
class ToolChoice:
    """Whether tools may or must be called. `names` restricts the choice; empty means all offered tools."""

    mode: Literal["none", "auto", "required"] = "auto"
    names: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class ResponseFormat:
    """Structured output. `schema` is the bare JSON Schema, None for `json_object`."""

    kind: Literal["json_object", "json_schema"]
    name: str = ""
    schema: Any = None  # any JSON value is a legal schema position; validated by the surface


@dataclass(slots=True, frozen=True)
class Sampling:
    """Sampling parameters as the client gave them; None is absent. Ranges are the surface's, clamps the upstream's."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None


@dataclass(slots=True, frozen=True)
class Call:
    """A parsed request. Nothing in it refers to a client's dialect except the names of `ignored` parameters.

    `request_id` is unique per choice (dispatch sets it, e.g. `req_…:0`): ids of tool calls are derived from it.
    """

    surface: str
    requested_model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    n: int = 1
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool = True
    legacy_functions: bool = False
    response_format: ResponseFormat | None = None
    raw: bool = False
    lora: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    request_id: str = ""
