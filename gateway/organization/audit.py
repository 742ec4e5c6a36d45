"""The audit: what administrators did, and what they were refused, newest first. Reads and searches; acts are written by
change.py in the step of the change itself, refusals here.

Two streams, each of a bounded length, so that no flood of refused requests pushes an act out. An entry's place among
all is (ms, sequence, stream).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.organization.change import Actor
from gateway.store.contract import Reply, Store
from gateway.store.layout import Layout
from gateway.store.stored import stored

MOST_REFUSALS: Final = 5_000
REFUSED: Final = "request.refused"

_CHUNK = 500  # entries of each stream in one round trip
_LATEST_MS = 2**53
_PREFIX = "audit_log-"
_SUFFIX = "-refused"
_PLACE = re.compile(rf"{_PREFIX}([0-9]{{1,16}})-([0-9]{{1,18}})({_SUFFIX})?")

_encode = msgspec.json.Encoder().encode

Place = tuple[int, int, int]
"""ms, sequence number, stream: 0 acts, 1 refusals."""


class Who(msgspec.Struct, frozen=True):
    """Who acted: an admin key or a session, from which address, with which client."""

    name: str
    key_id: str = ""
    address: str = ""
    agent: str = ""
    is_session: bool = False


class ActDetails(msgspec.Struct, frozen=True):
    """The part of an entry's details that it can be searched by."""

    project: str | None = None


@dataclass(slots=True, frozen=True)
class Act:
    """One entry. `records` are pairs of JSON texts, before and after; empty where there was or is none."""

    place: Place
    event: str
    target: str
    who: Who
    request_id: str
    details: msgspec.Raw
    records: tuple[tuple[bytes, bytes], ...]

    @property
    def id(self) -> str:
        """The entry's name in the API."""
        return f"{_PREFIX}{self.place[0]}-{self.place[1]}{_SUFFIX if self.is_refused else ''}"

    @property
    def is_refused(self) -> bool:
        """Whether nothing was done."""
        return self.place[2] == 1

    @property
    def project_id(self) -> str | None:
        """The project it was about, None for the whole organisation."""
        return self.target if self.target.startswith("proj_") else _decode_details(self.details).project


_decode_who = stored(Who, "audit entry")
_decode_details = stored(ActDetails, "audit entry")


@dataclass(slots=True, frozen=True)
class Search:
    """Which entries are wanted; an empty tuple wants all. Times are inclusive."""

    events: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()  # ids or names
    targets: tuple[str, ...] = ()
    from_ms: int = 0
    until_ms: int = _LATEST_MS

    def finds(self, act: Act) -> bool:
        """Whether an entry is wanted, its time apart."""
        if self.actors and act.who.name not in self.actors and act.who.key_id not in self.actors:
            return False
        asked = ((self.events, act.event), (self.targets, act.target), (self.projects, act.project_id))
        return all(not wanted or found in wanted for wanted, found in asked)


def read_place(act_id: str) -> Place | None:
    """The place an entry's id names; None where it is no such id."""
    found = _PLACE.fullmatch(act_id)
    return (int(found[1]), int(found[2]), int(bool(found[3]))) if found else None


class Audit:
    """Both streams of one organisation."""

    def __init__(self, store: Store, layout: Layout) -> None:
        self._store = store
        self._streams = (layout.shared("audit"), layout.shared("audit_refused"))

    async def refused(self, actor: Actor, method: str, path: str, error: GatewayError) -> None:
        """Note an act that an admitted administrator asked for and was refused."""
        who = Who(actor.name, actor.key_id, actor.address, actor.agent, actor.is_session)
        details = {"method": method, "path": path, "status": error.status, "code": error.code, "message": error.message}
        fields: list[str | bytes] = ["event", REFUSED, "target", path, "actor", _encode(who)]
        fields += ["request_id", actor.request_id, "details", _encode(details)]
        await self._store.command("XADD", self._streams[1], "MAXLEN", "=", MOST_REFUSALS, "*", *fields)

    async def older(self, search: Search, place: Place | None, most: int) -> list[Act]:
        """Up to `most` wanted entries before a place, newest first."""
        return await self._find(search, place, most, is_rising=False)

    async def newer(self, search: Search, place: Place, most: int) -> list[Act]:
        """Up to `most` wanted entries that follow a place, newest first."""
        return (await self._find(search, place, most, is_rising=True))[::-1]

    async def _find(self, search: Search, place: Place | None, most: int, *, is_rising: bool) -> list[Act]:
        found: list[Act] = []
        while len(found) < most:
            chunks = await self._chunks(search, place, is_rising=is_rising)
            acts = sorted((act for chunk in chunks for act in chunk), key=lambda act: act.place, reverse=not is_rising)
            # A full chunk ends where its stream may go on: nothing past that is looked at before the next one.
            ends = [chunk[-1].place for chunk in chunks if len(chunk) == _CHUNK]
            end = (min(ends) if is_rising else max(ends)) if ends else None
            if end is not None:
                acts = [act for act in acts if (act.place <= end if is_rising else act.place >= end)]
            found += [act for act in acts if search.finds(act)]
            if end is None:
                break
            place = end
        return found[:most]

    async def _chunks(self, search: Search, place: Place | None, *, is_rising: bool) -> list[list[Act]]:
        command = "XRANGE" if is_rising else "XREVRANGE"
        commands = []
        for number, stream in enumerate(self._streams):
            low, high = str(search.from_ms), str(search.until_ms)
            if place is not None and is_rising and place[0] >= search.from_ms:
                low = f"{'' if number > place[2] else '('}{place[0]}-{place[1]}"
            if place is not None and not is_rising and place[0] <= search.until_ms:
                high = f"{'' if number < place[2] else '('}{place[0]}-{place[1]}"
            ends = (low, high) if is_rising else (high, low)
            commands.append((command, stream, *ends, "COUNT", _CHUNK))
        replies = await self._store.pipeline(commands)
        return [[_act(number, *entry) for entry in reply] for number, reply in enumerate(replies)]


def _act(stream: int, entry_id: bytes, fields: Sequence[bytes]) -> Act:
    ms, _, sequence = entry_id.decode().partition("-")
    found: dict[bytes, list[bytes]] = {}
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        found.setdefault(name, []).append(value)
    return Act(
        place=(int(ms), int(sequence), stream),
        event=_text(found, b"event"),
        target=_text(found, b"target"),
        who=_who(found),
        request_id=_text(found, b"request_id"),
        details=msgspec.Raw(found.get(b"details", [b"{}"])[0]),
        records=tuple(zip(found.get(b"before", ()), found.get(b"after", ()), strict=True)),
    )


def _who(found: dict[bytes, list[Reply]]) -> Who:
    """The actor; entries of older versions have the name alone."""
    text = found.get(b"actor", [b""])[0]
    return _decode_who(text) if text.startswith(b"{") else Who(text.decode())


def _text(found: dict[bytes, list[bytes]], name: bytes) -> str:
    return found.get(name, [b""])[0].decode()
