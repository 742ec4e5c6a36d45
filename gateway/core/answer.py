"""What an upstream answered, as values every surface can render.

A decoder turns upstream bytes into these events; an encoder turns them into a client's dialect. The two
sides meet nowhere else.
"""

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why a choice ended, in OpenAI's words."""

FailureKind = Literal[
    "connect",
    "first_byte_timeout",
    "capacity",
    "quota",
    "rate_limited",
    "not_authorized",
    "retired",
    "too_long",
    "server_error",
    "rejected",
    "malformed",
    "cut",
    "unmet",
    "hollow",
]
"""How an attempt failed; `core.retry` decides by this word and by whether the client has seen a byte."""


@dataclass(slots=True, frozen=True)
class Delta:
    """A piece of text of one choice."""

    text: str


@dataclass(slots=True, frozen=True)
class ToolDelta:
    """A piece of one tool call.

    `id` and `name` are set on the first piece of a call and only there; `arguments` is JSON text to append.
    `index` counts the calls of the choice from 0; a call's pieces are never interleaved with another's.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(slots=True, frozen=True)
class Usage:
    """Tokens of one attempt as the upstream reported them. `neurons` is what Cloudflare meters, if it said so."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    neurons: float | None = None


@dataclass(slots=True, frozen=True)
class Finish:
    """The end of a choice as the upstream named it; `None` where it ended without naming a reason."""

    reason: FinishReason | None


@dataclass(slots=True, frozen=True)
class Failure:
    """An attempt that did not answer. Expected trouble, so a value and not an exception.

    `message` is free of account ids and credentials. `code` and `request_id` are the upstream's own.
    `retry_after` is in seconds. `limit_tokens` is the window the upstream named in a `too_long` refusal.
    """

    kind: FailureKind
    message: str
    status: int | None = None
    code: int | None = None
    request_id: str | None = None
    retry_after: float | None = None
    limit_tokens: int | None = None


Event = Delta | ToolDelta | Usage | Finish | Failure


@dataclass(slots=True, frozen=True)
class ToolCall:
    """One complete function call; `arguments` is JSON text, as OpenAI has it."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True, frozen=True)
class Completion:
    """One choice, complete. `usage` is None where the upstream gave none (all zeros count as none)."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    usage: Usage | None
