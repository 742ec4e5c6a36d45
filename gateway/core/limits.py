"""Which counters a request touches and what may pass through each. Pure arithmetic on calendar time; asks no store.

A *meter* is one counter pair of one scope: used (`u:<kind>:<window>`) and held (`h:<kind>:<window>`), with its
limit or none. Use is counted in all meters, limited or not, so that a limit set in the middle of a month knows what
came before it; only limited ones hold. A limit that is set while requests run binds them (change_records.lua).

A *rolling* meter counts a minute or an hour in slots of a sixtieth, in one field (`r:<kind>:<window>`), and only while
there is a limit; one of a single model likewise (`r:<kind>:<window>|<model>`), where the day rolls as well. Concurrency
is a held counter without use.

A set of meters is valid for the creation times in `[from_ms, until_ms)`; hold.lua refuses it outside, by the store's
clock, and the caller makes the next one: a boundary costs one extra trip, and no clock but the store's decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from gateway.core.records import Identity, Limit, SpendLimit

Kind = Literal["money", "tokens", "requests", "neurons", "concurrency"]
WindowName = Literal["now", "minute", "hour", "day", "week", "month", "total"]

KINDS: tuple[Kind, ...] = ("money", "tokens", "requests", "neurons")  # what is used; concurrent requests are only held
SCOPES = ("organization", "project", "key")
WINDOWS: tuple[WindowName, ...] = ("day", "week", "month", "total")

LARGEST_LIMIT = 9_000_000_000_000_000  # Lua counts in doubles: exact below 2**53, with room for one more request
NANO_PER_NEURON = 1_000_000_000  # neurons are limited in whole ones and counted in billionths
_LARGEST_NEURONS = 9_000_000_000  # their counters are integers of 64 bits, not doubles: exact where steps add to them
END_OF_TIME_MS = 2**53 - 1
SLOT_MS: Mapping[WindowName, int] = {"minute": 1000, "hour": 60_000}  # of rolling windows
MODEL_SLOT_MS: Mapping[WindowName, int] = {**SLOT_MS, "day": 1_440_000}  # of those of one model
SLOTS = 60  # of a window, besides the slot of now; the same number stands in _books.lua

_pack = msgspec.msgpack.Encoder().encode
_unpack_slots = msgspec.msgpack.Decoder(list[int]).decode


@dataclass(slots=True, frozen=True)
class Window:
    """A stretch of calendar time, `[start_ms, end_ms)`; `label` names it in counter fields (`2026-11`).

    Rolling windows, "total" and "now" (for what is concurrent) are one stretch of all time.
    """

    name: WindowName
    label: str
    start_ms: int
    end_ms: int


@dataclass(slots=True, frozen=True)
class Meter:
    """A limited counter pair of a scope. `model` is the only one whose use it counts.

    `limit` is in the counters' unit: nano-dollars, tokens, requests, nano-neurons.
    """

    kind: Kind
    window: Window
    limit: int
    model: str | None = None

    @property
    def number(self) -> int:
        """The kind as the store's steps know it."""
        return _NUMBERS[self.kind]

    @property
    def slot_ms(self) -> int | None:
        """The length of a slot where the window rolls."""
        return (SLOT_MS if self.model is None else MODEL_SLOT_MS).get(self.window.name)

    @property
    def name(self) -> str:
        """The window's name, and the model where there is one: with the kind it tells a scope's meters apart."""
        return self.window.name if self.model is None else f"{self.window.name}|{self.model}"

    @property
    def used_field(self) -> str:
        if self.slot_ms is not None:
            return f"r:{self.kind}:{self.name}"
        return "" if self.kind == "concurrency" else used_field(self.kind, self.window)

    @property
    def held_field(self) -> str:
        return f"h:{self.kind}:{self.window.label}"

    @property
    def resets_at(self) -> int | None:
        """When the window ends (unix seconds); None where it never does."""
        return None if self.window.end_ms == END_OF_TIME_MS else self.window.end_ms // 1000


@dataclass(slots=True, frozen=True)
class Meters:
    """The limited meters of a request, each with its scope's number (1 organisation, 2 project, 3 key).

    Rolling ones stand last. `packed` and `rates` are what hold.lua takes: [from, until, then scope, kind, held field,
    used field, limit of each] and [scope, kind, field, limit, slot ms of each rolling one], empty where there is none.
    """

    from_ms: int
    until_ms: int
    limited: tuple[tuple[int, Meter], ...]
    packed: bytes
    rates: bytes = b""

    def covers(self, created_ms: int) -> bool:
        """Whether a request created then is counted by these meters."""
        return self.from_ms <= created_ms < self.until_ms


def spent_scopes(project_id: str, api_key_id: str) -> tuple[str, str, str]:
    """The names under which the three scopes' counters lie (`Layout.spent`), in the order of `SCOPES`."""
    return "o", f"p:{project_id}", f"k:{api_key_id}"


def used_field(kind: Kind, window: Window) -> str:
    """The field of what was used in a window."""
    return f"u:{kind}:{window.label}"


def check_limit(limit: int, kind: Kind = "money") -> int:
    """A limit in the counters' unit, if it can be counted exactly. Raises ValueError otherwise."""
    largest = _LARGEST_NEURONS if kind == "neurons" else LARGEST_LIMIT
    if not 0 <= limit <= largest:
        raise ValueError(f"a limit must be between 0 and {largest}, not {limit}")
    return limit * NANO_PER_NEURON if kind == "neurons" else limit


def shown_amount(kind: str, amount: int) -> int:
    """An amount of a counter as people are told it: neurons are whole ones, begun ones counted."""
    return -(-amount // NANO_PER_NEURON) if kind == "neurons" else amount


def zone_named(name: str) -> tzinfo:
    """The calendar of a timezone: UTC's is the constant, whose windows carry no timezone in their labels."""
    return UTC if name == "UTC" else ZoneInfo(name)


def window_at(name: WindowName, moment_ms: int, zone: tzinfo = UTC) -> Window:
    """The calendar window that contains `moment_ms` (unix milliseconds), as calendars of `zone` have it."""
    if name not in _CALENDAR:
        return Window(name, name, 0, END_OF_TIME_MS)
    local = datetime.fromtimestamp(moment_ms // 1000, zone)
    start, end, label = _CALENDAR[name](local)
    if zone is not UTC:
        label = f"{label}@{zone}"
    return Window(name, label, _ms(start), _ms(end))


def meters_for(
    identity: Identity,
    moment_ms: int,
    model: str | None = None,
    windows: tuple[WindowName, ...] = WINDOWS,
    zone: tzinfo = UTC,
) -> Meters:
    """The meters of a request created at `moment_ms` and served by `model`.

    Raises ValueError for a limit that cannot be counted.
    """
    start, end = _shared_span(tuple(window_at(name, moment_ms, zone) for name in windows))
    organization, project, key = identity.organization, identity.project, identity.key
    scopes = (
        limits_of(organization.spend_limit, organization.limits),
        limits_of(project.spend_limit, project.limits),
        limits_of(None, key.limits),
    )
    limited = [
        (number, meter_of(limit, moment_ms, zone))
        for number, limits in enumerate(scopes, 1)
        for limit in limits
        if limit.model is None or limit.model == model
    ]
    calendar = [(scope, meter) for scope, meter in limited if meter.slot_ms is None]
    rolling = [(scope, meter) for scope, meter in limited if meter.slot_ms is not None]
    packed: list[str | int] = [start, end]
    for scope, meter in calendar:
        packed += [scope, meter.number, meter.held_field, meter.used_field, meter.limit]
    rates = [
        part for scope, meter in rolling for part in (scope, meter.number, meter.used_field, meter.limit, meter.slot_ms)
    ]
    return Meters(start, end, (*calendar, *rolling), _pack(packed), _pack(rates) if rates else b"")


def limits_of(spend_limit: SpendLimit | None, limits: Sequence[Limit]) -> list[Limit]:
    """All limits of a scope: of several for the same kind, window and model the smallest."""
    found: dict[tuple[str, str, str | None], Limit] = {}
    budget = () if spend_limit is None else (Limit("money", spend_limit.limit_nano, spend_limit.interval),)
    for limit in (*budget, *limits):
        place = (limit.kind, limit.window, limit.model)
        known = found.get(place)
        if known is None or limit.limit < known.limit:
            found[place] = limit
    return list(found.values())


def meter_of(limit: Limit, moment_ms: int, zone: tzinfo = UTC) -> Meter:
    """The meter of a limit at a moment. Raises ValueError for one that cannot be counted."""
    kind, window = _KINDS.get(limit.kind), _WINDOWS.get(limit.window)
    if kind is None or window is None or (kind == "concurrency") != (window == "now"):
        raise ValueError(f"nothing counts {limit.kind} per {limit.window}")
    if limit.model is None:
        return Meter(kind, window_at(window, moment_ms, zone), check_limit(limit.limit, kind))
    if window not in MODEL_SLOT_MS:
        raise ValueError(f"nothing counts {limit.kind} per {limit.window} of one model")
    return Meter(kind, Window(window, window, 0, END_OF_TIME_MS), check_limit(limit.limit, kind), limit.model)


def rolling_slots(field: bytes | None) -> list[tuple[int, int]]:
    """The slots of a rolling meter's field, each with what is used and held in it together."""
    slots = () if field is None else _unpack_slots(field)
    return [(slots[at], slots[at + 1] + slots[at + 2]) for at in range(0, len(slots), 3)]


def rolling_sums(field: bytes | None, slot_ms: int, now_ms: int) -> tuple[int, int]:
    """What a rolling meter's field says is used and held at a moment, as hold.lua counts it."""
    slots = () if field is None else _unpack_slots(field)
    oldest = now_ms // slot_ms - SLOTS
    found = [at for at in range(0, len(slots), 3) if slots[at] >= oldest]
    return sum(slots[at + 1] for at in found), sum(slots[at + 2] for at in found)


@dataclass(slots=True, frozen=True)
class Booking:
    """Where use of a time is counted, the same fields in every scope. `packed`: [[fields], [kind of each]]."""

    from_ms: int
    until_ms: int
    packed: bytes

    def covers(self, created_ms: int) -> bool:
        """Whether a request created then is counted here."""
        return self.from_ms <= created_ms < self.until_ms


def booking_at(moment_ms: int, windows: tuple[WindowName, ...] = WINDOWS, zone: tzinfo = UTC) -> Booking:
    """The used fields of all kinds for a request created at `moment_ms`."""
    found = tuple(window_at(name, moment_ms, zone) for name in windows)
    pairs = [(used_field(kind, window), _NUMBERS[kind]) for kind in KINDS for window in found]
    packed = _pack([[name for name, _ in pairs], [number for _, number in pairs]])
    return Booking(*_shared_span(found), packed)


def _shared_span(windows: tuple[Window, ...]) -> tuple[int, int]:
    """The time that all windows share."""
    return max(window.start_ms for window in windows), min(window.end_ms for window in windows)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def _day(local: datetime) -> tuple[datetime, datetime, str]:
    start = _midnight(local)
    return start, start + timedelta(days=1), start.strftime("%Y-%m-%d")


def _week(local: datetime) -> tuple[datetime, datetime, str]:
    start = _midnight(local) - timedelta(days=local.weekday())
    return start, start + timedelta(days=7), start.strftime("%G-W%V")


def _month(local: datetime) -> tuple[datetime, datetime, str]:
    start = _midnight(local).replace(day=1)
    following = (start + timedelta(days=31)).replace(day=1)
    return start, following, start.strftime("%Y-%m")


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


_CALENDAR: dict[WindowName, Callable[[datetime], tuple[datetime, datetime, str]]] = {
    "day": _day,
    "week": _week,
    "month": _month,
}
_NUMBERS: Mapping[Kind, int] = {"money": 1, "tokens": 2, "requests": 3, "concurrency": 4, "neurons": 5}
_KINDS: Mapping[str, Kind] = {kind: kind for kind in _NUMBERS}
_WINDOWS: Mapping[str, WindowName] = {name: name for name in get_args(WindowName)}
