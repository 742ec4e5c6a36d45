"""Tool calls out of an answer: whole or in pieces, flat or nested, in OpenAI's order.

Decides which pieces belong to one call and when a call may be told. Out come calls one after the other, indexes from
0, id and name once at the start. Ids the upstream did not give are derived, never random: the same bytes give the same
answer.
"""

import hashlib

import msgspec

from gateway.core.answer import ToolDelta
from gateway.core.call import Call
from gateway.core.demands import allowed_tools
from gateway.core.split_characters import Joiner
from gateway.upstreams.workers_ai.shapes import CallPiece, replaced_text_of

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MINTED_CHARACTERS = 24  # as OpenAI's own; clients ask for more than 16
_LONGEST_FOREIGN_ID = 64

_any = msgspec.json.Decoder()


def offers(call: Call) -> dict[str, frozenset[str]]:
    """What `core.leaked_calls` asks for: tool name → names of its parameters."""
    found = {}
    for tool in allowed_tools(call):
        properties = tool.parameters.get("properties")
        found[tool.name] = frozenset(properties) if isinstance(properties, dict) else frozenset()
    return found


class CallIds:
    """Ids unique within a conversation: the upstream's own where it is new, else `call_` and 24 characters."""

    __slots__ = ("_call", "_used")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._used: set[str] | None = None

    def take(self, offered: str | None, index: int) -> str:
        """The id of the call at `index`."""
        if self._used is None:
            self._used = {made.id for message in self._call.messages for made in message.tool_calls}
        found = offered if offered and len(offered) <= _LONGEST_FOREIGN_ID else self._mint(index)
        if found in self._used:
            found = self._mint(index)
        self._used.add(found)
        return found

    def _mint(self, index: int) -> str:
        # Without a request id the conversation so far stands in: it is longer at each turn, so ids differ.
        seed = self._call.request_id or repr(self._call.messages)
        number = int.from_bytes(hashlib.sha256(f"{seed}\n{index}".encode()).digest(), "big")
        digits = []
        for _ in range(_MINTED_CHARACTERS):
            number, digit = divmod(number, len(_ALPHABET))
            digits.append(_ALPHABET[digit])
        return "call_" + "".join(digits)


class _Slot:
    """One call in the making; `arguments` is all of it, `told` how much has been passed on."""

    __slots__ = ("arguments", "id", "is_open", "joiner", "name", "told")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name: str | None = None
        self.arguments = ""
        self.told = 0
        self.is_open = False  # its id and name have been told
        self.joiner = Joiner()

    def is_complete(self) -> bool:
        try:
            _any.decode(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


class CallAssembly:
    """Pieces in, ToolDeltas out.

    The first unfinished call is passed on as it comes; a later one waits until those before it are complete JSON, or
    the stream is over. Arguments that come before the name wait for it.
    """

    def __init__(self, call: Call) -> None:
        self._ids = CallIds(call)
        self._tools = allowed_tools(call)
        self._limit = None if call.parallel_tool_calls else 1
        self._slots: list[_Slot] = []
        self._by_index: dict[int, _Slot] = {}
        self._current = 0
        self.told = 0  # calls passed on so far, complete or begun
        self.is_nameless = False  # at the end: there were arguments nobody can tell the function of

    def feed(self, piece: CallPiece) -> list[ToolDelta]:
        """Add a whole call or a piece of one."""
        function = piece.function
        name = piece.name or (function.name if function else None)
        arguments = _arguments(piece)
        slot = self._slot_of(piece, name, arguments)
        if slot is None:
            return []
        slot.id = slot.id or piece.id
        slot.name = slot.name or name
        slot.arguments += slot.joiner.feed(arguments)
        return self._advance()

    def close(self) -> list[ToolDelta]:
        """What is still owed: waiting calls, and `{}` for a call that came without arguments."""
        found: list[ToolDelta] = []
        for slot in self._slots[self._current :]:
            slot.arguments += slot.joiner.close()
            if slot.name is None and slot.arguments.strip() and len(self._tools) == 1:
                slot.name = self._tools[0].name  # nameless, but only one can be meant
            if slot.name is None:
                self.is_nameless = self.is_nameless or bool(slot.arguments.strip())
                continue
            if not slot.arguments.strip():
                slot.arguments, slot.told = "{}", 0
            found.extend(self._tell(slot))
        self._current = len(self._slots)
        return found

    def _slot_of(self, piece: CallPiece, name: str | None, arguments: str) -> _Slot | None:
        if not (piece.id or name or arguments):
            return None  # the null finalisation some engines send
        slot = self._known_slot(piece, name)
        if slot is not None and slot.name and name and self._is_another(slot, piece, arguments):
            slot = None
        if slot is None:
            slot = _Slot()
            self._slots.append(slot)
            if piece.index is not None:
                self._by_index[piece.index] = slot
        return slot

    def _known_slot(self, piece: CallPiece, name: str | None) -> _Slot | None:
        if piece.index is not None:
            return self._by_index.get(piece.index)
        if piece.id:
            return next((slot for slot in self._slots if slot.id == piece.id), None)
        return self._slots[-1] if self._slots and not name else None

    @staticmethod
    def _is_another(slot: _Slot, piece: CallPiece, arguments: str) -> bool:
        """Engines exist that number every call 0: a new id, or new arguments after complete ones, begin a new call."""
        if piece.id and slot.id and piece.id != slot.id:
            return True
        return bool(arguments.strip()) and slot.is_complete()

    def _advance(self) -> list[ToolDelta]:
        found: list[ToolDelta] = []
        while self._current < len(self._slots):
            slot = self._slots[self._current]
            if slot.name is None:
                break
            found.extend(self._tell(slot))
            if self._current + 1 == len(self._slots) or not slot.is_complete():
                break
            self._current += 1
        return found

    def _tell(self, slot: _Slot) -> list[ToolDelta]:
        if not slot.is_open:
            if self.told == self._limit:
                return []  # the caller wants one call at most
            slot.is_open = True
            slot.told = len(slot.arguments)
            self.told += 1
            return [ToolDelta(self.told - 1, self._ids.take(slot.id, self.told - 1), slot.name, slot.arguments)]
        fresh = slot.arguments[slot.told :]
        slot.told = len(slot.arguments)
        return [ToolDelta(self.told - 1, None, None, fresh)] if fresh else []


def _arguments(piece: CallPiece) -> str:
    function = piece.function
    found = [piece.arguments, piece.parameters]
    if function is not None:
        found = [function.arguments, function.parameters, *found]
    for raw in found:
        text = replaced_text_of(raw)
        if text is not None:
            return text
    return ""
