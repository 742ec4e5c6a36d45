"""Compares roll-ups with roll-ups and with counters. Never writes.

A settle books an hour, a day and all counters in one step; what must be equal is therefore read in one step as well
(read_together.lua), in portions that keep the store busy for about a millisecond.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.core.limits import KINDS, WINDOWS, window_at
from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.reading import portions, read_table, read_together
from gateway.ledger.audit.row_check import HOUR, Look
from gateway.ledger.audit.sums import ZERO, Sums, add_up, amount, parse_sums, plus
from gateway.store.contract import Reply, Store
from gateway.store.layout import Layout

DAY = 86_400
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


@dataclass(slots=True)
class _Scope:
    """What older days say of a scope, by window label, and the roll-up names that belong to it."""

    base: dict[str, Sums] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def add(self, label: str, sums: Sums) -> None:
        self.base[label] = plus(self.base.get(label, ZERO), sums)


async def check_counters(store: Store, layout: Layout, days: Sequence[int], scopes: Iterable[str] = ()) -> Look:
    """One look at whether all days (unix seconds, oldest first, up to today) make up the counters of every scope.

    `scopes` are looked at even if no roll-up names them.
    """
    labels = {day: [window_at(name, day * 1000).label for name in _COUNTED_WINDOWS] for day in days}
    recent = days[-_RECENT_DAYS:]
    every = sorted({label for found in labels.values() for label in found})
    books: dict[str, _Scope] = {scope: _Scope() for scope in scopes}
    for day in days:
        for name, sums in (await read_table(store, layout.shared("use", "d", day))).items():
            project, key, _ = name.split("|", 2)
            for scope in ("o", f"p:{project}", f"k:{key}"):
                book = books.setdefault(scope, _Scope())
                book.names.add(name)
                for label in labels[day] if day not in recent else ():
                    book.add(label, sums)
    look = Look()
    sizes = ((scope, len(every) * len(KINDS) + len(books[scope].names) * len(recent)) for scope in sorted(books))
    for portion in portions(sizes):
        places = [place for scope in portion for place in _places(layout, scope, books[scope], every, recent)]
        values = iter(await read_together(store, places))
        for scope in portion:
            look.findings += _judge(layout.spent(scope), books[scope], every, [labels[day] for day in recent], values)
    return look


def _fields(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Counter fields with their labels, kind by kind."""
    return [(f"u:{kind}:{label}", label) for kind in KINDS for label in labels]


def _places(
    layout: Layout, scope: str, book: _Scope, labels: Sequence[str], recent: Sequence[int]
) -> list[tuple[str, str]]:
    counters = [(layout.spent(scope), name) for name, _ in _fields(labels)]
    return counters + [(layout.shared("use", "d", day), name) for day in recent for name in sorted(book.names)]


def _judge(
    key: str, book: _Scope, labels: Sequence[str], recent: Sequence[Sequence[str]], values: Iterable[Reply]
) -> list[Finding]:
    """The counters of one scope against its days; `values` come in the order of `_places`."""
    found_values = iter(values)
    counters = [int(next(found_values) or 0) for _ in _fields(labels)]
    expected = dict(book.base)
    for day_labels in recent:
        sums = add_up(parse_sums(next(found_values)) for _ in book.names)
        for label in day_labels:
            expected[label] = plus(expected.get(label, ZERO), sums)
    findings = []
    for (name, label), found in zip(_fields(labels), counters, strict=True):
        kind = next(kind for kind in KINDS if name.startswith(f"u:{kind}:"))
        wanted = amount(expected.get(label, ZERO), kind)
        if wanted != found:
            findings.append(Finding("counters", key, name, (wanted,), (found,)))
    return findings
