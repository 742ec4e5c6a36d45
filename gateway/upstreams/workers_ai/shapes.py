"""The JSON Workers AI answers with, in all its shapes, read into one: native, OpenAI's, or both at once.

Two readers for the same structs: a strict decoder for what nearly always comes (one C call per event) and a lenient
one that takes each field for what it is. Numbers and objects where text belongs keep their spelling. Decides nothing.
"""

import msgspec
from msgspec import Raw, Struct

NOTHING = Raw(b"")


class FunctionPiece(Struct):
    """`function` of a nested tool call."""

    name: str | None = None
    arguments: Raw = NOTHING
    parameters: Raw = NOTHING


class CallPiece(Struct):
    """A tool call or a piece of one: flat (name and arguments here) or nested (in `function`)."""

    index: int | None = None
    id: str | None = None
    name: str | None = None
    arguments: Raw = NOTHING
    parameters: Raw = NOTHING
    function: FunctionPiece | None = None


class MessagePiece(Struct):
    """`delta` of a stream, `message` of a complete answer."""

    content: str | None = None
    tool_calls: list[CallPiece] | None = None


class ChoicePiece(Struct):
    """One entry of `choices`; ours is the only one, since `n` is several upstream calls."""

    delta: MessagePiece | None = None
    message: MessagePiece | None = None
    text: str | None = None
    finish_reason: str | None = None


class CachedPiece(Struct):
    cached_tokens: int | None = None


class UsagePiece(Struct):
    """`usage`, as reported: cumulative or an increment."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: CachedPiece | None = None
    neurons: float | None = None


class Piece(Struct):
    """One stream event, or the `result` of a complete answer."""

    response: str | None = None
    choices: list[ChoicePiece] | None = None
    tool_calls: list[CallPiece] | None = None
    usage: UsagePiece | None = None
    finish_reason: str | None = None
    success: bool | None = None
    error: Raw = NOTHING
    errors: Raw = NOTHING
    internal_code: Raw = msgspec.field(default=NOTHING, name="internalCode")


class Envelope(Struct):
    """A complete answer in Cloudflare's usual envelope."""

    result: Piece
    success: bool = False


_fields = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_string = msgspec.json.Decoder(str)
_number = msgspec.json.Decoder(float)
decode_piece = msgspec.json.Decoder(Piece).decode
"""The strict reader. Raises msgspec.ValidationError where `read_piece` may still succeed."""


_envelope = msgspec.json.Decoder(Envelope)


def maybe_read_usual(body: bytes) -> Piece | None:
    """The result of an answer in the usual envelope and of the usual types, in one pass: a third of the lenient way's
    cost. None for anything else, which `read_fields` and `read_piece` then look at.
    """
    try:
        whole = _envelope.decode(body)
    except (ValueError, RecursionError):
        return None
    result = whole.result
    is_answer = result.response is not None or result.choices
    return result if whole.success and is_answer and result.usage is not None else None


def read_fields(data: bytes | Raw | None) -> dict[str, Raw] | None:
    """The fields of a JSON object, unread; None where the data is anything else."""
    try:
        return None if data is None else _fields.decode(data)
    except (ValueError, RecursionError):
        return None


def read_piece(fields: dict[str, Raw]) -> Piece:
    """The lenient reader: a field of an unexpected type is read as what it means, or left out."""
    return Piece(
        response=text_of(fields.get("response")),
        choices=[_choice(choice) for choice in _objects(fields["choices"])] if _is_list(fields, "choices") else None,
        tool_calls=_calls(fields),
        usage=_usage(fields),
        finish_reason=string_of(fields.get("finish_reason")),
        success=bytes(fields.get("success", NOTHING)) != b"false",
        error=fields.get("error", NOTHING),
        errors=fields.get("errors", NOTHING),
        internal_code=fields.get("internalCode", NOTHING),
    )


def text_of(raw: Raw | None) -> str | None:
    """Generated text: a string's content, the text of an array of parts, else the JSON itself, spelled as it came.

    Raises ValueError where the bytes are no characters: in a stream the other half may be in the next event.
    """
    found = bytes(raw) if raw is not None else b""
    if found in (b"", b"null"):
        return None
    if found.startswith(b'"'):
        return _string.decode(found)
    if found.startswith(b"["):
        parts = [string_of(part.get("text")) for part in _objects(found)]
        if parts and all(part is not None for part in parts):
            return "".join(part for part in parts if part)
    return found.decode()


def replaced_text_of(raw: Raw | None) -> str | None:
    """`text_of` with U+FFFD for bytes that are no characters."""
    return text_of(None if raw is None else Raw(bytes(raw).decode("utf-8", "replace").encode()))


def string_of(raw: Raw | None) -> str | None:
    """The content of a JSON string; None for any other value."""
    found = bytes(raw) if raw is not None else b""
    return _string.decode(found) if found.startswith(b'"') else None


def number_of(raw: Raw | None) -> float | None:
    """A JSON number, also one inside a string; None for any other value."""
    try:
        return _number.decode((string_of(raw) or bytes(raw)) if raw is not None else b"")
    except ValueError:
        return None


def _integer(raw: Raw | None) -> int | None:
    number = number_of(raw)
    return None if number is None or abs(number) > 2**53 else int(number)


def _is_list(fields: dict[str, Raw], name: str) -> bool:
    return bytes(fields.get(name, NOTHING)).startswith(b"[")


def _objects(raw: bytes | Raw) -> list[dict[str, Raw]]:
    found = [read_fields(item) for item in _items.decode(raw)]
    return [fields for fields in found if fields is not None]


def _choice(fields: dict[str, Raw]) -> ChoicePiece:
    return ChoicePiece(
        delta=_message(read_fields(fields.get("delta"))),
        message=_message(read_fields(fields.get("message"))),
        text=text_of(fields.get("text")),
        finish_reason=string_of(fields.get("finish_reason")),
    )


def _message(fields: dict[str, Raw] | None) -> MessagePiece | None:
    if fields is None:
        return None
    return MessagePiece(content=text_of(fields.get("content")), tool_calls=_calls(fields))


def _calls(fields: dict[str, Raw]) -> list[CallPiece] | None:
    return [_call(call) for call in _objects(fields["tool_calls"])] if _is_list(fields, "tool_calls") else None


def _call(fields: dict[str, Raw]) -> CallPiece:
    function = read_fields(fields.get("function"))
    return CallPiece(
        index=_integer(fields.get("index")),
        id=string_of(fields.get("id")),
        name=string_of(fields.get("name")),
        arguments=fields.get("arguments", NOTHING),
        parameters=fields.get("parameters", NOTHING),
        function=None
        if function is None
        else FunctionPiece(
            name=string_of(function.get("name")),
            arguments=function.get("arguments", NOTHING),
            parameters=function.get("parameters", NOTHING),
        ),
    )


def _usage(fields: dict[str, Raw]) -> UsagePiece | None:
    found = read_fields(fields.get("usage"))
    if found is None:
        return None
    details = read_fields(found.get("prompt_tokens_details")) or {}
    return UsagePiece(
        prompt_tokens=_integer(found.get("prompt_tokens")),
        completion_tokens=_integer(found.get("completion_tokens")),
        total_tokens=_integer(found.get("total_tokens")),
        prompt_tokens_details=CachedPiece(_integer(details.get("cached_tokens"))),
        neurons=number_of(found.get("neurons")),
    )
