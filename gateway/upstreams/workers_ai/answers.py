"""A complete (not streamed) answer: every shape of `result`, read into a Completion.

Decides text, tool calls, reason and usage. An answer without any of the fields an answer has is a Failure, also with
status 200; so is one whose `success` is false. Recovers tool calls that leaked into the text.
Stop strings are not cut here: the uncut text is what was generated, and what is counted where usage is missing.
"""

from collections.abc import Mapping

from msgspec import Raw

from gateway.core.answer import Completion, Failure, ToolCall, ToolDelta, Usage
from gateway.core.call import Call
from gateway.core.leaked_calls import recover
from gateway.upstreams.workers_ai.reasons import ERROR_REASON, finish_reason
from gateway.upstreams.workers_ai.refusals import failure
from gateway.upstreams.workers_ai.shapes import (
    CallPiece,
    FunctionPiece,
    MessagePiece,
    Piece,
    UsagePiece,
    maybe_read_usual,
    number_of,
    read_fields,
    read_piece,
)
from gateway.upstreams.workers_ai.tool_calls import CallAssembly, offers
from gateway.upstreams.workers_ai.usage import read_usage

_ANSWER_FIELDS = ("response", "choices", "tool_calls")
_NOTHING = (b"", b"null", b'""')


def completion(
    status: int, headers: Mapping[str, str], body: bytes, call: Call, max_tokens: int
) -> Completion | Failure:
    """The answer to `call`, for which `max_tokens` were granted. `headers` are lower-case."""
    usual = maybe_read_usual(body) if status == 200 else None
    if usual is not None:
        return _completion(usual, _with_neurons(read_usage(usual.usage), headers), call, max_tokens)
    fields = read_fields(body)
    if fields is None:
        if 200 <= status < 300:
            return Failure("malformed", "Workers AI answered with something that is not JSON.", status)
        return failure(status, headers, body)
    result = read_fields(fields.get("result"))
    if result is None:
        # Answers without the envelope, and with bare text as the result, are read too.
        bare = fields.get("result")
        result = {"response": bare, **fields} if bare is not None and bytes(bare) not in _NOTHING else fields
    is_answer = any(name in result for name in _ANSWER_FIELDS)
    if not 200 <= status < 300 or bytes(fields.get("success", b"")) == b"false":
        return failure(status, headers, body)
    if not is_answer:
        if any(bytes(fields.get(name, b"[]")) not in (b"[]", b"{}", b"null") for name in ("errors", "error")):
            return failure(status, headers, body)
        return Failure("malformed", "Workers AI answered without a response.", status)
    try:
        piece = read_piece(result)
    except (ValueError, RecursionError):
        return Failure("malformed", "Workers AI answered with characters that are not UTF-8.", status)
    usage = _with_neurons(read_usage(piece.usage or _outer_usage(fields)), headers)
    return _completion(piece, usage, call, max_tokens)


def _completion(piece: Piece, usage: Usage | None, call: Call, max_tokens: int) -> Completion | Failure:
    choice = piece.choices[0] if piece.choices else None
    message = (choice.message or choice.delta if choice else None) or MessagePiece()
    # `response` holds JSON already parsed (220 for 220.0); the message keeps what the model wrote.
    text = message.content or (choice.text if choice else None) or piece.response or ""
    named = choice.finish_reason if choice and choice.finish_reason else piece.finish_reason
    pieces = message.tool_calls or piece.tool_calls or []
    offered = offers(call)
    if not pieces and offered:
        leaked = recover(text, offered)
        pieces = [_as_piece(name, arguments) for name, arguments in leaked]
        text = "" if leaked else text
    if named == ERROR_REASON and not text and not pieces:
        return Failure("server_error", "The model reported an error instead of an answer.", 200)
    calls = _whole_calls(pieces, call)
    if calls is None:
        return Failure("malformed", "Workers AI answered with a tool call that names no function.", 200)
    reason = finish_reason(named, usage, max_tokens, has_calls=bool(calls))
    return Completion(_unfenced(text) if call.response_format else text, calls, reason, usage)


def _whole_calls(pieces: list[CallPiece], call: Call) -> tuple[ToolCall, ...] | None:
    if not pieces:
        return ()
    assembly = CallAssembly(call)
    deltas = [delta for piece in pieces for delta in assembly.feed(piece)] + assembly.close()
    return None if assembly.is_nameless else tuple(collect(deltas))


def collect(deltas: list[ToolDelta]) -> list[ToolCall]:
    """Complete calls out of their pieces, which come one call after the other."""
    found: list[ToolCall] = []
    for delta in deltas:
        if delta.id is not None and delta.name is not None:
            found.append(ToolCall(delta.id, delta.name, delta.arguments))
        else:
            begun = found[-1]
            found[-1] = ToolCall(begun.id, begun.name, begun.arguments + delta.arguments)
    return found


def _as_piece(name: str, arguments: str) -> CallPiece:
    return CallPiece(function=FunctionPiece(name=name, arguments=Raw(arguments.encode())))


def _outer_usage(fields: dict[str, Raw]) -> UsagePiece | None:
    return read_piece({"usage": fields["usage"]}).usage if "usage" in fields else None


def _with_neurons(usage: Usage | None, headers: Mapping[str, str]) -> Usage | None:
    if usage is None or usage.neurons is not None or "cf-ai-neurons" not in headers:
        return usage
    neurons = number_of(Raw(headers["cf-ai-neurons"].encode()))
    return Usage(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, neurons)


def _unfenced(text: str) -> str:
    """JSON without the Markdown fence a prompted model likes to put around it."""
    inner = text.strip()
    if inner.startswith("```") and inner.endswith("```") and len(inner) > 6:
        return inner[3:-3].removeprefix("json").strip()
    return text
