"""Writes a streamed answer as `chat.completion.chunk` events, in the one order every client survives.

Everything that stays the same during a stream is rendered once; a piece of text costs one JSON string and two
joins. It keeps no text. The order of events is the caller's promise: start, then deltas and one finish per choice,
then end or error.
"""

import msgspec

from gateway.core.answer import Delta, FinishReason, ToolDelta, Usage
from gateway.core.call import Call
from gateway.surfaces.chat.answer import closing_reason, escape_separators, usage_object

_encode = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"


class _Error(msgspec.Struct):
    """The four keys of OpenAI's error, in its order."""

    message: str
    type: str
    param: str | None
    code: str | None


class _Envelope(msgspec.Struct):
    error: _Error


_read_envelope = msgspec.json.Decoder(_Envelope).decode


class ChatStream:
    """The encoder of one stream. Each method returns whole events, ready to send; `b""` where nothing is to be said."""

    __slots__ = ("_after_choice", "_after_delta", "_before_choice", "_before_delta", "_call", "_called", "_finished")

    def __init__(self, call: Call, id: str, created: int, model: str) -> None:
        head = {
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
            "service_tier": "default",
        }
        self._call = call
        self._before_choice = b"data: " + escape_separators(_encode(head))[:-1] + b',"choices":['
        # With include_usage every chunk has the key, null until the last; without it no chunk has.
        self._after_choice = b'],"usage":null}\n\n' if call.include_usage else b"]}\n\n"
        self._after_delta = b',"logprobs":null,"finish_reason":null}' + self._after_choice
        self._before_delta = [b'%b{"index":%d,"delta":' % (self._before_choice, index) for index in range(call.n)]
        self._called: set[int] = set()
        self._finished: set[int] = set()

    def start(self) -> bytes:
        """The role of every choice, in their order: accumulating clients need index 0 first and each role once."""
        role = b'{"role":"assistant","content":"","refusal":null}'
        return b"".join([before + role + self._after_delta for before in self._before_delta])

    def delta(self, index: int, delta: Delta | ToolDelta) -> bytes:
        """A piece of text, or of one tool call. A call's first piece becomes two events: its name, its arguments."""
        if type(delta) is ToolDelta:
            return self._tool_delta(index, delta)
        text = delta.text  # type: ignore[union-attr]  # an exact type test is half the price of isinstance here
        if not text:
            return b""
        quoted = _encode(text)
        if not text.isascii():
            quoted = escape_separators(quoted)
        return self._before_delta[index] + b'{"content":' + quoted + b"}" + self._after_delta

    def _tool_delta(self, index: int, delta: ToolDelta) -> bytes:
        before = self._before_delta[index]
        if self._call.legacy_functions:
            return self._function_delta(before, index, delta)
        opening = b""
        self._called.add(index)
        if delta.id is not None:
            named = b'{"tool_calls":[{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}}]}'
            opening = before + named % (delta.index, _quote(delta.id), _quote(delta.name or "")) + self._after_delta
        if not delta.arguments:
            return opening
        more = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}'
        return opening + before + more % (delta.index, _quote(delta.arguments)) + self._after_delta

    def _function_delta(self, before: bytes, index: int, delta: ToolDelta) -> bytes:
        if delta.index > 0:  # the legacy form has room for one call
            return b""
        opening = b""
        self._called.add(index)
        if delta.id is not None:
            named = b'{"function_call":{"name":%b,"arguments":""}}'
            opening = before + named % _quote(delta.name or "") + self._after_delta
        if not delta.arguments:
            return opening
        return opening + before + b'{"function_call":{"arguments":%b}}' % _quote(delta.arguments) + self._after_delta

    def finish(self, index: int, reason: FinishReason) -> bytes:
        """The end of a choice, in an event of its own. Repeating it says nothing."""
        if index in self._finished:
            return b""
        self._finished.add(index)
        word = closing_reason(reason, index in self._called, self._call).encode()
        return b'%b{},"logprobs":null,"finish_reason":"%b"}%b' % (self._before_delta[index], word, self._after_choice)

    def end(self, usage: Usage) -> bytes:
        """The usage if it was asked for, and the end mark."""
        if not self._call.include_usage:
            return _DONE
        return b'%b],"usage":%b}\n\n%b' % (self._before_choice, _encode(usage_object(usage)), _DONE)

    def error(self, envelope: bytes) -> bytes:
        """A failure after the first byte: the four keys of its envelope and nothing else, then the end mark."""
        return b"data: " + escape_separators(_encode(_read_envelope(envelope))) + b"\n\n" + _DONE


def _quote(text: str) -> bytes:
    return escape_separators(_encode(text))
