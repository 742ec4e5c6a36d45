"""Compares the rows of an hour with its roll-up and its part of the day's by tag, and the row indexes with each other.

The roll-ups are read before and after the rows: only fields that did not move in between are compared, so a settle
that runs beside the check can make a field undecided, never different. Never writes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.reading import Indexed, read_table, walk_rows
from gateway.ledger.audit.sums import ZERO, Sums, plus
from gateway.ledger.places import LONGEST_VALUE, OTHER, rollup_name
from gateway.ledger.rollups import row_sums
from gateway.store.contract import Store
from gateway.store.layout import Layout

HOUR = 3600
DAY = 86_400


@dataclass(slots=True)
class Look:
    """One look at a part of the books. `moving` fields changed while they were read: nothing is said about them."""

    findings: list[Finding] = field(default_factory=list)
    moving: int = 0
    rows: int = 0


@dataclass(slots=True)
class RowSums:
    """Rows added up by roll-up field, and how many each index should have."""

    by_name: dict[str, Sums] = field(default_factory=dict)
    by_tag: dict[tuple[str, str], Sums] = field(default_factory=dict)  # field up to the value, value
    scopes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    rows: int = 0

    def add(self, index: str, entry: Indexed) -> None:
        """Count one index entry in, or note what is wrong with it."""
        row = entry.row
        if row is None or (row.id, row.created_ms) != (entry.id, entry.created_ms):
            self.findings.append(Finding("index", index, entry.id, (1,), (0,), entry.created_ms))
            return
        self.rows += 1
        name = rollup_name(row.project_id, row.api_key_id, row.model)
        sums = row_sums(row)
        self.by_name[name] = plus(self.by_name.get(name, ZERO), sums)
        for tag in row.rolled_up:
            hour = row.created_ms // 1000 // HOUR * HOUR
            place = f"{hour}|{row.project_id}|{row.model}|{tag}=", row.tags[tag][:LONGEST_VALUE]
            self.by_tag[place] = plus(self.by_tag.get(place, ZERO), sums)
        self.scopes[f"p:{row.project_id}"] += 1
        self.scopes[f"k:{row.api_key_id}"] += 1


async def sum_rows(store: Store, layout: Layout, start_ms: int, end_ms: int) -> RowSums:
    """All rows of a stretch of time."""
    sums = RowSums()
    index = layout.rows()
    async for entries in walk_rows(store, layout, start_ms, end_ms):
        for entry in entries:
            sums.add(index, entry)
    return sums


async def check_hour(store: Store, layout: Layout, hour: int) -> Look:
    """One look at an hour (unix seconds of its start)."""
    key, by_tag = layout.shared("use", "h", hour), layout.shared("use", "t", hour - hour % DAY)
    start_ms, end_ms = hour * 1000, (hour + HOUR) * 1000
    before, tags_before = await read_table(store, key), await read_table(store, by_tag, f"{hour}|*")
    rows = await sum_rows(store, layout, start_ms, end_ms)
    short = await _check_indexes(store, layout, rows, start_ms, end_ms)
    after, tags_after = await read_table(store, key), await read_table(store, by_tag, f"{hour}|*")
    look = compare(key, rows.by_name, before, after)
    tagged = compare(by_tag, _folded(rows.by_tag, tags_after), tags_before, tags_after)
    look.findings += rows.findings + short + tagged.findings
    look.moving += tagged.moving
    look.rows = rows.rows
    return look


def _folded(by_tag: Mapping[tuple[str, str], Sums], fields: Mapping[str, Sums]) -> dict[str, Sums]:
    """What rows say by tag, values that found no room in the roll-up under the field they were counted in."""
    folded: dict[str, Sums] = {}
    for (start, value), sums in by_tag.items():
        name, other = start + value, start + OTHER
        place = other if name not in fields and other in fields else name
        folded[place] = plus(folded.get(place, ZERO), sums)
    return folded


def compare(key: str, rows: Mapping[str, Sums], before: Mapping[str, Sums], after: Mapping[str, Sums]) -> Look:
    """What rows say against what their roll-up said before and after they were read."""
    look = Look()
    for name in sorted(rows.keys() | before.keys() | after.keys()):
        found = after.get(name, ZERO)
        if before.get(name, ZERO) != found:
            look.moving += 1
        elif rows.get(name, ZERO) != found:
            look.findings.append(Finding("rows", key, name, rows.get(name, ZERO), found))
    return look


async def _check_indexes(store: Store, layout: Layout, rows: RowSums, start_ms: int, end_ms: int) -> list[Finding]:
    """Each project's and key's index must have as many entries of this time as rows were found."""
    scopes = sorted(rows.scopes)
    counts = await store.pipeline([("ZCOUNT", layout.rows(scope), start_ms, f"({end_ms}") for scope in scopes])
    return [
        Finding("index", layout.rows(scope), "", (rows.scopes[scope],), (count,), start_ms)
        for scope, count in zip(scopes, counts, strict=True)
        if rows.scopes[scope] > count
    ]
