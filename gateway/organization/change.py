"""One atomic change of the organisation's records: what must still be true, and what is written if it is.

Gathers guards and writes for `lua/change_records.lua` and an entry for the audit stream. It never reads the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from gateway.store.contract import Store

_encode = msgspec.json.Encoder().encode

EventDetails = dict[str, str | int | None]
"""What an entry of the audit stream says besides who, what and when."""


@dataclass(slots=True, frozen=True)
class Actor:
    """Who asks for a change, and in which request; both go to the audit stream."""

    name: str
    request_id: str


class Change:
    """Guards and writes; `apply` performs all of them in one step, or none."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._guards: list[tuple[int, str, str | bool]] = []
        self._writes: list[tuple[str | int, ...]] = []

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

    def audit(self, stream: str, actor: Actor, event: str, target: str, details: Mapping[str, object]) -> None:
        """Say in the audit stream who did what to which object. Details never contain a secret."""
        fields = ("event", event, "target", target, "actor", actor.name, "request_id", actor.request_id)
        self.write("XADD", stream, "*", *fields, "details", _encode(details).decode())

    async def apply(self, store: Store) -> bool:
        """Whether it was done; False means that a guard did not hold. Raises `core.errors.StoreAway`."""
        body = _encode({"guards": self._guards, "writes": self._writes})
        return bool(await store.script("change_records", self._keys, [body]))

    def _number(self, key: str) -> int:
        if key not in self._keys:
            self._keys.append(key)
        return self._keys.index(key) + 1
