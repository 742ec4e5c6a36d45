"""Ids, offers and the assembly's less common ways; the golden streams show the common ones."""

from msgspec import Raw
from support.upstream_cases import MINTED

from gateway.core.answer import ToolCall, ToolDelta
from gateway.core.call import Call, Message, Tool
from gateway.upstreams.workers_ai.shapes import CallPiece, FunctionPiece
from gateway.upstreams.workers_ai.tool_calls import CallAssembly, CallIds

TOOLS = (Tool("f", "", {"properties": {"a": {}}}), Tool("g", "", {"properties": None}))
CALL = Call("chat", "auto", (Message("user", "hi"),), tools=TOOLS)


def test_call_ids_already_in_the_conversation_are_replaced() -> None:
    history = (Message("assistant", "", (ToolCall("functions.f:0", "f", "{}"),)),)
    ids = CallIds(Call("chat", "m", history))
    assert MINTED.match(ids.take("functions.f:0", 0))
    assert ids.take("functions.f:1", 1) == "functions.f:1"
    assert MINTED.match(ids.take("functions.f:1", 2))
    assert MINTED.match(ids.take("x" * 65, 3))


def test_call_ids_without_a_request_id_differ_between_turns() -> None:
    first = CallIds(Call("chat", "m", (Message("user", "hi"),))).take(None, 0)
    again = CallIds(Call("chat", "m", (Message("user", "hi"),))).take(None, 0)
    later = CallIds(Call("chat", "m", (Message("user", "hi"), Message("assistant", "")))).take(None, 0)
    assert first == again != later


def piece(text: str = "", **fields: str | int | None) -> CallPiece:
    name = fields.pop("name", None)
    function = FunctionPiece(
        name=str(name) if name else None, arguments=Raw(b'"%s"' % text.encode()) if text else Raw(b"")
    )
    return CallPiece(function=function, **fields)  # type: ignore[arg-type]  # id and index only


def test_assembly_pieces_without_index_belong_to_the_last_call_or_to_their_id() -> None:
    assembly = CallAssembly(CALL)
    told = (
        assembly.feed(piece(name="f", id="call_1")) + assembly.feed(piece("1")) + assembly.feed(piece("2", id="call_1"))
    )
    assert told == [ToolDelta(0, "call_1", "f", ""), ToolDelta(0, None, None, "1"), ToolDelta(0, None, None, "2")]


def test_assembly_name_repeated_on_every_piece_is_one_call() -> None:
    assembly = CallAssembly(CALL)
    told = assembly.feed(piece("[", name="f", id="call_1", index=0)) + assembly.feed(piece("]", name="f", index=0))
    assert told == [ToolDelta(0, "call_1", "f", "["), ToolDelta(0, None, None, "]")]
    assert assembly.feed(piece(name="f", id="call_1", index=0)) == []
    assert assembly.close() == []


def test_assembly_same_index_with_new_arguments_after_complete_ones_is_another_call() -> None:
    assembly = CallAssembly(CALL)
    assembly.feed(piece("[]", name="f", index=0))
    (told,) = assembly.feed(piece("[]", name="f", index=0))
    assert (told.index, told.name, told.arguments) == (1, "f", "[]")


def test_assembly_nameless_call_behind_a_named_one_waits_and_is_reported() -> None:
    assembly = CallAssembly(CALL)
    assembly.feed(piece("[]", name="f", index=0))
    assert assembly.feed(piece("[]", index=1)) == []
    assert assembly.close() == []
    assert assembly.is_nameless


def test_assembly_id_without_anything_else_is_no_call() -> None:
    assembly = CallAssembly(CALL)
    assert assembly.feed(CallPiece(id="call_1")) == []
    assert assembly.close() == []
    assert not assembly.is_nameless
