"""Which store keys each ledger step touches, in the order its first lines declare. Names only; reads nothing."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.core.limits import spent_scopes
from gateway.core.records import Identity
from gateway.store.layout import Layout

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
LONGEST_VALUE = 100  # characters of a tag's value in a roll-up
OTHER = "(other)"  # the value under which roll_up counts those for which a day has no room
_REMEMBERED = 8192

Keys = tuple[str, ...]

_pack = msgspec.msgpack.Encoder().encode


class Places:
    """Key lists per step. What is asked for again and again is remembered: names cost more than the packing."""

    def __init__(self, layout: Layout, rollup_tags: tuple[str, ...] = ()) -> None:
        self.layout = layout
        self._rollup_tags = rollup_tags
        self.applied = layout.shared("applied")
        self.leases = layout.shared("leases")
        self.rowless = layout.shared("rowless")
        self._holds = layout.shared("holds")
        self._tombstones = layout.shared("tombstones")
        self._expired = layout.shared("expired")
        self._expired_at = layout.shared("expired_at")
        self._settle: dict[tuple[str, str, int], Keys] = {}

    def hold(self, identity: Identity) -> Keys:
        """For hold.lua."""
        layout = self.layout
        scopes = spent_scopes(identity.project.id, identity.key.id)
        return (
            layout.shared("org"),
            layout.project(identity.project.id),
            layout.key(identity.key_hash),
            self._holds,
            self.leases,
            self._tombstones,
            self._expired,
            *(layout.spent(scope) for scope in scopes),
        )

    def settle(self, project_id: str, api_key_id: str, created_ms: int) -> Keys:
        """For settle.lua."""
        place = (project_id, api_key_id, created_ms // HOUR_MS)
        found = self._settle.get(place)
        if found is None:
            if len(self._settle) >= _REMEMBERED:
                self._settle.clear()
            found = self._settle[place] = (
                self.applied,
                self._holds,
                self.leases,
                self._tombstones,
                self._expired,
                self._expired_at,
                self.rowless,
                *self._books(project_id, api_key_id, created_ms),
            )
        return found

    def expire(self, project_id: str, api_key_id: str, created_ms: int) -> Keys:
        """For expire.lua."""
        books = self._books(project_id, api_key_id, created_ms)
        return (self._holds, self.leases, self._expired, self._expired_at, self.rowless, *books)

    def due(self) -> Keys:
        """For due.lua."""
        return (self._holds, self.leases, self._tombstones, self._expired, self._expired_at, self.rowless)

    def declared(self, tags: Mapping[str, str]) -> list[str]:
        """The names of those tags that roll-ups count by now."""
        return [name for name in self._rollup_tags if name in tags] if tags else []

    def _books(self, project_id: str, api_key_id: str, created_ms: int) -> Keys:
        """Three counter hashes and four roll-ups."""
        layout = self.layout
        hour = created_ms // HOUR_MS * HOUR_MS // 1000
        day = created_ms // DAY_MS * DAY_MS // 1000
        return (
            *(layout.spent(scope) for scope in spent_scopes(project_id, api_key_id)),
            layout.shared("use", "h", hour),
            layout.shared("use", "d", day),
            layout.shared("use", "p", day),
            layout.shared("use", "t", day),
        )


def packed_tags(tags: Mapping[str, str], names: Sequence[str]) -> bytes:
    """The tags a step rolls up by, as it takes them; empty where there are none."""
    return _pack([f"{name}={tags[name][:LONGEST_VALUE]}" for name in names]) if names else b""


def rollup_name(project_id: str, api_key_id: str, model: str) -> str:
    """The field of the hour and day roll-ups."""
    return f"{project_id}|{api_key_id}|{model}"
