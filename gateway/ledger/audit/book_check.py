"""Compares roll-ups with roll-ups and with counters. Never writes.

A settle books an hour, a day and all counters in one step; what must be equal is therefore read in one step as well
(read_together.lua), in portions that keep the store busy for about a millisecond.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC

from gateway.core.limits import KINDS, WINDOWS, window_at
from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.pruning import is_past
from gateway.ledger.audit.reading import portions, read_table, read_together
from gateway.ledger.audit.row_check import DAY, HOUR, Look
from gateway.ledger.audit.sums import ZERO, Sums, add_up, amount, parse_sums, plus
from gateway.store.contract import Reply, Store
from gateway.store.layout import Layout

_RECENT_DAYS = 2  # still being booked into; older days change only by receipts that come late
_COUNTED_WINDOWS = tuple(name for name in WINDOWS if name != "hour")  # a day's sums do not tell its hours apart


async def check_day(store: Store, layout: Layout, day: int) -> Look:
    """One look at whether a day's 24 hours make up its two roll-ups (unix seconds of its start)."""
    hours = range(day, day + DAY, HOUR)
    tables = {hour: await read_table(store, layout.shared("use", "h", hour)) for hour in hours}
    by_day, by_hour = layout.shared("use", "d", day), layout.shared("use", "p", day)
    names = set[str]().union(*tables.values(), await read_table(store, by_day))
    look = Look()
    parts = {name: [(layout.shared("use", "h", hour), name) for hour in hours] for name in names}
    look.findings += await _compare(store, by_day, parts)
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in await read_table(store, by_hour)}
    for hour, table in tables.items():
        for name in table:
            project, _, model = name.split("|", 2)
            groups.setdefault(f"{hour}|{project}|{model}", []).append((layout.shared("use", "h", hour), name))
    look.findings += await _compare(store, by_hour, groups)
    return look


async def _compare(store: Store, key: str, parts: dict[str, list[tuple[str, str]]]) -> list[Finding]:
    """Each field of `key` against the sum of its parts, both at one moment."""
    findings: list[Finding] = []
    for portion in portions((name, len(parts[name]) + 1) for name in sorted(parts)):
        values = iter(await read_together(store, [p for name in portion for p in ((key, name), *parts[name])]))
        for name in portion:
            found = parse_sums(next(values))
            expected = add_up(parse_sums(next(values)) for _ in parts[name])
            if found != expected:
                findings.append(Finding("rollups", key, name, expected, found))
    return findings


@dataclass(slots=True, frozen=True)
class _Stretch:
    """A roll-up of a day or an hour, and the windows in which it is counted."""

    key: str
    labels: tuple[str, ...]
    unclear: frozenset[str]


@dataclass(slots=True)
class _Scope:
    """What older roll-ups say of a scope, by window label, and the names that belong to it."""

    base: dict[str, Sums] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def add(self, label: str, sums: Sums) -> None:
        self.base[label] = plus(self.base.get(label, ZERO), sums)


async def check_counters(store: Store, layout: Layout, days: Sequence[int], scopes: Iterable[str] = ()) -> Look:
    """One look at whether all days (unix seconds, oldest first, up to today) make up the counters of every scope.

    `scopes` are looked at even if no roll-up names them.
    """
    books: dict[str, _Scope] = {scope: _Scope() for scope in scopes}
    recent: list[_Stretch] = []
    labels: set[str] = set()
    unclear: set[str] = set()
    for day in days:
        is_recent = day in days[-_RECENT_DAYS:]
        for stretch in _stretches(layout, day):  # one day at a time: its calendar is computed between two reads
            labels.update(stretch.labels)
            unclear |= stretch.unclear
            recent += [stretch] if is_recent else []
            table = await read_table(store, stretch.key)
            _add_table(books, table, () if is_recent else stretch.labels)
    every = sorted(label for label in labels - unclear if not is_past(label, days[-1]))
    look = Look()
    sizes = ((scope, len(every) * len(KINDS) + len(books[scope].names) * len(recent)) for scope in sorted(books))
    for portion in portions(sizes):
        places = [place for scope in portion for place in _places(layout, scope, books[scope], every, recent)]
        values = iter(await read_together(store, places))
        for scope in portion:
            look.findings += _judge(layout.spent(scope), books[scope], every, recent, values)
    return look


def _add_table(books: dict[str, _Scope], table: Mapping[str, Sums], labels: Sequence[str]) -> None:
    for name, sums in table.items():
        project, key, _ = name.split("|", 2)
        for scope in ("o", f"p:{project}", f"k:{key}"):
            book = books.setdefault(scope, _Scope())
            book.names.add(name)
            for label in labels:
                book.add(label, sums)


def _stretches(layout: Layout, day: int) -> list[_Stretch]:
    """A UTC day as a whole, or, where another calendar divides it, its hours.

    A window that begins or ends within an hour, as in India, is unclear: no roll-up tells what is in it.
    """
    if layout.zone is UTC:
        return [_Stretch(layout.shared("use", "d", day), _labels(layout, day), frozenset())]
    found = []
    for hour in range(day, day + DAY, HOUR):
        labels = _labels(layout, hour)
        unclear = frozenset(labels) ^ frozenset(_labels(layout, hour + HOUR - 1))
        found.append(_Stretch(layout.shared("use", "h", hour), labels, unclear))
    return found


def _labels(layout: Layout, second: int) -> tuple[str, ...]:
    return tuple(window_at(name, second * 1000, layout.zone).label for name in _COUNTED_WINDOWS)


def _fields(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Counter fields with their labels, kind by kind."""
    return [(f"u:{kind}:{label}", label) for kind in KINDS for label in labels]


def _places(
    layout: Layout, scope: str, book: _Scope, labels: Sequence[str], recent: Sequence[_Stretch]
) -> list[tuple[str, str]]:
    counters = [(layout.spent(scope), name) for name, _ in _fields(labels)]
    return counters + [(stretch.key, name) for stretch in recent for name in sorted(book.names)]


def _judge(
    key: str, book: _Scope, labels: Sequence[str], recent: Sequence[_Stretch], values: Iterable[Reply]
) -> list[Finding]:
    """The counters of one scope against its roll-ups; `values` come in the order of `_places`."""
    found_values = iter(values)
    counters = [int(next(found_values) or 0) for _ in _fields(labels)]
    expected = dict(book.base)
    for stretch in recent:
        sums = add_up(parse_sums(next(found_values)) for _ in book.names)
        for label in stretch.labels:
            expected[label] = plus(expected.get(label, ZERO), sums)
    findings = []
    for (name, label), found in zip(_fields(labels), counters, strict=True):
        kind = next(kind for kind in KINDS if name.startswith(f"u:{kind}:"))
        wanted = amount(expected.get(label, ZERO), kind)
        if wanted != found:
            findings.append(Finding("counters", key, name, (wanted,), (found,)))
    return findings
