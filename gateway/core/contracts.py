"""The contracts between surfaces, upstreams and dispatch. Plain protocols; implementations are tables of functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.core.answer import Completion, Delta, Event, Failure, FinishReason, ToolDelta, Usage
from gateway.core.call import Call
from gateway.core.catalog import Model


@dataclass(slots=True, frozen=True)
class Outbound:
    """One upstream request, without credentials: path below the account's base URL, JSON body, changed parameters.

    `stream` says whether the body asks for SSE: a streamed call may have to be made without it (structured output),
    and is then replayed from the whole answer (`core.stream.replay`).
    """

    path: str
    body: bytes
    ignored: tuple[str, ...] = ()
    stream: bool = False


class Decoder(Protocol):
    """Turns the `data` of upstream SSE events into events, recognising each by its shape.

    `Usage` events may repeat: the last one wins. `ended` is true once the upstream's own end mark was seen.
    """

    ended: bool

    def event(self, data: bytes) -> tuple[Event, ...]: ...

    def close(self) -> tuple[Event, ...]:
        """The upstream has no more bytes: what is still owed, e.g. a last `Usage`, or `Failure("cut")`."""
        ...


@dataclass(slots=True, frozen=True)
class Upstream:
    """A provider dialect. `headers` are lower-case."""

    request: Callable[[Call, Model, int], Outbound]  # call, model, granted max_tokens
    completion: Callable[[int, Mapping[str, str], bytes, Call, int], Completion | Failure]  # …, granted max_tokens
    stream: Callable[[Call, int], Decoder]  # call, granted max_tokens
    failure: Callable[[int, Mapping[str, str], bytes], Failure]


@dataclass(slots=True, frozen=True)
class Answer:
    """A complete answer to a client: one completion per choice, one usage for all."""

    id: str
    created: int  # unix seconds
    model: str
    choices: tuple[Completion, ...]
    usage: Usage


class Encoder(Protocol):
    """Writes one streamed answer in a client's dialect. Every method returns bytes to send, possibly none."""

    def start(self) -> bytes: ...
    def delta(self, index: int, delta: Delta | ToolDelta) -> bytes: ...
    def finish(self, index: int, reason: FinishReason) -> bytes: ...
    def end(self, usage: Usage) -> bytes: ...
    def error(self, envelope: bytes) -> bytes: ...


@dataclass(slots=True, frozen=True)
class Surface:
    """A client dialect. `parse` raises `core.errors.InvalidRequest`; `stream` takes call, id, created, model.

    `id_prefix` goes before the hex part of an answer's id.
    """

    name: str
    parse: Callable[[Any], Call]  # any decoded JSON value: parse is what finds out
    render: Callable[[Answer, Call], bytes]
    stream: Callable[[Call, str, int, str], Encoder]
    id_prefix: str = ""
