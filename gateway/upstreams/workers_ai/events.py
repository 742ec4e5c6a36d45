"""One upstream stream: the data of its events in, what they mean out. Each event is recognised by its own shape.

Decides text, tool calls, reason, usage and whether the stream was whole (it is when `[DONE]` came). Never looks at the
model's name. Where tools were offered, text that may be a leaked call waits until that is clear.
"""

from typing import Final

import msgspec

from gateway.core.answer import Delta, Event, Failure, Finish
from gateway.core.call import Call
from gateway.core.leaked_calls import may_be_call, recover
from gateway.core.split_characters import Joiner, mark
from gateway.upstreams.workers_ai.reasons import ERROR_REASON, finish_reason
from gateway.upstreams.workers_ai.refusals import failure
from gateway.upstreams.workers_ai.shapes import (
    CallPiece,
    FunctionPiece,
    Piece,
    decode_piece,
    read_fields,
    read_piece,
)
from gateway.upstreams.workers_ai.tool_calls import CallAssembly, offers
from gateway.upstreams.workers_ai.usage import UsageOfStream

_DONE: Final = b"[DONE]"
_EMPTY: Final = (b"", b"null", b"[]", b"{}")


class WorkersAiDecoder:
    """A core.contracts.Decoder. Usage comes with a native total and at the end; a Finish with a reason at `[DONE]`."""

    def __init__(self, call: Call, max_tokens: int) -> None:
        self.ended = False
        self._max_tokens = max_tokens
        self._calls = CallAssembly(call)
        self._usage = UsageOfStream()
        self._named_reason: str | None = None
        self._joiner: Joiner | None = None  # from the first broken character on
        self._offers = offers(call)
        self._waiting = ""  # text that may be a leaked call
        self._watches_text = bool(self._offers)  # only until text turns out to be text
        self._is_plain = not self._watches_text  # nothing but passing text on is asked for

    def event(self, data: bytes) -> tuple[Event, ...]:
        """The meaning of one event's data. After the end mark, or a Failure, nothing follows."""
        if self.ended:
            return ()
        try:
            piece = decode_piece(data)
        except (ValueError, RecursionError):
            return self._read_oddity(data)
        if (
            piece.choices is None
            and self._is_plain
            and piece.response
            and piece.usage is None
            and not piece.tool_calls
            and piece.finish_reason is None
            and piece.success is not False
        ):
            return (Delta(piece.response),)  # the native token event: most events are this one
        return self._read(piece, data)

    def close(self) -> tuple[Event, ...]:
        """The bytes have ended. Without the end mark the answer is cut, however complete it looks."""
        if self.ended:
            return ()
        self.ended = True
        owed: list[Event] = []
        text = self._waiting + (self._joiner.close() if self._joiner else "")
        if text:
            owed.append(Delta(text))
        usage = self._usage.total()
        if usage is not None:
            owed.append(usage)
        return (*owed, Failure("cut", "Workers AI ended the stream before the answer was complete."))

    def _read(self, piece: Piece, data: bytes) -> tuple[Event, ...]:
        if piece.success is False or bytes(piece.error) not in _EMPTY or bytes(piece.internal_code) not in _EMPTY:
            return self._fail(failure(200, {}, data))
        text, calls, named = piece.response, piece.tool_calls, piece.finish_reason
        if piece.choices:
            choice = piece.choices[0]
            message = choice.delta or choice.message
            if message is not None:
                text, calls = message.content or text, message.tool_calls or calls
            text, named = text or choice.text, choice.finish_reason or named
        elif text is None and bytes(piece.errors) not in _EMPTY:
            return self._fail(failure(200, {}, data))
        if named:
            if named == ERROR_REASON:
                return self._fail(Failure("server_error", "The model reported an error while answering.", 200))
            self._named_reason = named
        found: list[Event] = []
        if piece.usage is not None:
            self._usage.saw(piece.usage, is_native=piece.choices is None)
            if piece.choices is None and (usage := self._usage.total()) is not None:
                found.append(usage)  # at once: a client may leave between this event and the end mark
        if text and not calls and self._is_plain:
            found.append(Delta(text))
            return tuple(found)
        if text:
            self._add_text(text, found)
        if calls:
            self._add_calls(calls, found)
        return tuple(found)

    def _add_text(self, text: str, found: list[Event]) -> None:
        if self._joiner is not None:
            text = self._joiner.feed(text)
        if self._watches_text:
            self._waiting += text
            if may_be_call(self._waiting, self._offers):
                return
            text, self._waiting = self._waiting, ""
            self._watches_text = False
            self._is_plain = self._joiner is None
        if text:
            found.append(Delta(text))

    def _add_calls(self, calls: list[CallPiece], found: list[Event]) -> None:
        if self._waiting and not recover(self._waiting, self._offers):
            found.append(Delta(self._waiting))
        self._waiting = ""  # a call that is told properly and as text is one call
        self._watches_text = False
        self._is_plain = self._joiner is None
        for piece in calls:
            found.extend(self._calls.feed(piece))

    def _read_oddity(self, data: bytes) -> tuple[Event, ...]:
        """Data the strict reader refused: the end mark, odd types, broken characters, several values in one event."""
        stripped = data.strip()
        if stripped == _DONE:
            return self._finish()
        if not stripped:
            return ()
        fields = read_fields(data)
        if fields is not None:
            piece = _lenient(fields)
            if piece is not None:
                return self._read(piece, data)
        marked = mark(data)
        fields = read_fields(marked)
        if fields is not None and marked != data:
            piece = _lenient(fields)
            if piece is not None:
                self._joiner = self._joiner or Joiner()
                self._is_plain = False
                return self._read(piece, marked)
        if b"\n" in stripped:
            # Events that one newline separates instead of two: each line is an event.
            return tuple(event for line in stripped.split(b"\n") for event in self.event(line))
        return self._fail(Failure("malformed", "Workers AI streamed something that is not an event."))

    def _finish(self) -> tuple[Event, ...]:
        self.ended = True
        found: list[Event] = []
        text = self._waiting + (self._joiner.close() if self._joiner else "")
        leaked = recover(text, self._offers) if self._waiting else []
        for name, arguments in leaked:
            function = FunctionPiece(name=name, arguments=msgspec.Raw(arguments.encode()))
            found.extend(self._calls.feed(CallPiece(function=function)))
        if text and not leaked:
            found.append(Delta(text))
        found.extend(self._calls.close())
        usage = self._usage.total()
        if usage is not None:
            found.append(usage)
        if self._calls.is_nameless:
            found.append(Failure("malformed", "Workers AI streamed a tool call that names no function."))
            return tuple(found)
        has_calls = self._calls.told > 0
        return (*found, Finish(finish_reason(self._named_reason, usage, self._max_tokens, has_calls=has_calls)))

    def _fail(self, why: Failure) -> tuple[Event, ...]:
        self.ended = True
        owed = self._waiting
        usage = self._usage.total()
        found: list[Event] = [Delta(owed)] if owed else []
        if usage is not None:
            found.append(usage)
        return (*found, why)


def _lenient(fields: dict[str, msgspec.Raw]) -> Piece | None:
    try:
        return read_piece(fields)
    except (ValueError, RecursionError):
        return None


def stream(call: Call, max_tokens: int) -> WorkersAiDecoder:
    """A decoder for one stream answering `call`, for which `max_tokens` were granted."""
    return WorkersAiDecoder(call, max_tokens)
