"""One atomic change of the organisation's records: what must still be true, what is written if it is, and who did it.

Gathers guards and writes for `lua/change_records.lua`, and the entry of the audit stream that belongs to them: a change
without one cannot be applied, so that no act escapes the audit. It never reads the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.core.limits import Meter, spent_scopes
from gateway.store.contract import Store
from gateway.store.layout import Layout

# The audit keeps so many acts (docs/admin-api.md says so); a stream at its full length takes about 40 MB of the store.
MOST_ACTS: Final = 50_000

# Records of one act that are shown before and after; an account's deletion may revoke many keys.
_MOST_SHOWN = 20

_encode = msgspec.json.Encoder().encode

EventDetails = dict[str, str | int | None]
"""What an entry of the audit stream says besides who, what and when."""


@dataclass(slots=True, frozen=True)
class Actor:
    """Who asks for a change, from where, and in which request: an admin key by its id and name, or a session."""

    name: str
    request_id: str
    key_id: str = ""
    address: str = ""
    agent: str = ""  # what the client calls itself: its User-Agent
    is_session: bool = False


class Change:
    """Guards, writes and one entry of the audit; `apply` performs all of them in one step, or none."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._guards: list[tuple[int, str, str | bool]] = []
        self._writes: list[tuple[str | int, ...]] = []
        self._shown: list[tuple[int, str]] = []
        self._entry: tuple[int, list[str]] | None = None
        self._holds = ""
        self._bound: list[tuple[str | int, ...]] = []

    def expect(self, key: str, field: str, value: str | None) -> None:
        """Only go ahead while the hash `key` has `value` in `field` (None: no such field)."""
        self._guards.append((self._number(key), field, False if value is None else value))

    def write(self, command: str, key: str, *arguments: str | int) -> None:
        """Add a write command; its key comes first, as in every command used here."""
        self._writes.append((command, self._number(key), *(str(argument) for argument in arguments)))

    def record(self, key: str, version: int, data: str) -> None:
        """Write version `version` of a record where version `version - 1` lies now (1: where none does)."""
        self.expect(key, "v", str(version - 1) if version > 1 else None)
        self.write("HSET", key, "v", version, "data", data)
        self.show(key, "data")

    def show(self, key: str, field: str) -> None:
        """Let the audit tell what this field of a hash, JSON, was before the change and what it is after it."""
        if len(self._shown) < _MOST_SHOWN:
            self._shown.append((self._number(key), field))

    def bind(self, layout: Layout, owner: tuple[int, str], meter: Meter) -> None:
        """Let requests in flight hold for a limit that is new. `owner`: scope's number and id, empty for number 1."""
        counters = layout.spent(spent_scopes(owner[1], owner[1])[owner[0] - 1])
        self._holds = layout.shared("holds")
        span = meter.window.start_ms, meter.window.end_ms
        rolling = meter.slot_ms or 0
        field = meter.used_field if rolling else meter.held_field
        what = meter.number, field, meter.used_field, meter.limit, rolling
        self._bound.append((self._number(counters), *owner, meter.model or "", *span, *what))

    def audit(self, stream: str, actor: Actor, event: str, target: str, details: Mapping[str, object]) -> None:
        """Say in the audit stream who did what to which object. Details never contain a secret."""
        who = {"name": actor.name, "key_id": actor.key_id, "address": actor.address, "agent": actor.agent}
        fields = ["event", event, "target", target, "actor", _encode({**who, "is_session": actor.is_session}).decode()]
        fields += ["request_id", actor.request_id, "details", _encode(details).decode()]
        self._entry = (self._number(stream), fields)

    async def apply(self, store: Store) -> bool:
        """Whether it was done; False means that a guard did not hold. Raises `core.errors.StoreAway`."""
        if self._entry is None:
            raise AssertionError("a change that nobody answers for: call audit() before apply()")
        stream, fields = self._entry
        entry = {"stream": stream, "most": str(MOST_ACTS), "fields": fields, "shown": self._shown}
        body = _encode({"guards": self._guards, "writes": self._writes, "entry": entry, **self._binding()})
        return bool(await store.script("change_records", self._keys, [body]))

    def _binding(self) -> dict[str, object]:
        return {"bind": {"holds": self._number(self._holds), "meters": self._bound}} if self._bound else {}

    def _number(self, key: str) -> int:
        if key not in self._keys:
            self._keys.append(key)
        return self._keys.index(key) + 1
