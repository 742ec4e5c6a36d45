"""Reading usage per hour or day from the roll-ups, per minute from rows. Never writes.

Four roll-ups hold the same sums cut three ways (see store/layout.py); a question reads the smallest that can answer
it: what needs no key reads the one by project, whose size does not grow with the number of keys. That by tag is
asked for by the tag's name; it knows only the tags the configuration declares, from when it declared them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from gateway.core.receipt import Receipt
from gateway.ledger.audit.sums import parse_sums
from gateway.ledger.rows import RowFilter, iterate_rows
from gateway.store.contract import Store
from gateway.store.layout import Layout

Width = Literal["1m", "1h", "1d"]
Dimension = Literal["project", "key", "model"]

SECONDS: dict[Width, int] = {"1m": 60, "1h": 3600, "1d": 86400}
SCAN_COUNT = 1000  # fields per HSCAN step: about a millisecond of the store's time

Group = tuple[str | None, str | None, str | None, str | None]  # project, key, model, tag; None where not grouped by it


@dataclass(slots=True)
class Usage:
    """Sums of one group in one bucket. A dimension that is not grouped by is None."""

    project_id: str | None
    api_key_id: str | None
    model: str | None
    tag: str | None = None  # the value of the tag that was asked for
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_nano: int = 0
    neurons_nano: int = 0
    failed: int = 0
    client_gone: int = 0

    def add(self, sums: Sequence[int]) -> None:
        """Add the eight sums of a roll-up field, in its order."""
        self.requests += sums[0]
        self.prompt_tokens += sums[1]
        self.completion_tokens += sums[2]
        self.cached_tokens += sums[3]
        self.cost_nano += sums[4]
        self.neurons_nano += sums[5]
        self.failed += sums[6]
        self.client_gone += sums[7]


@dataclass(slots=True)
class Bucket:
    """Usage between `start` and `end` (unix seconds), one entry per group, none where nothing happened."""

    start: int
    end: int
    results: list[Usage]


@dataclass(slots=True, frozen=True)
class UsageQuery:
    """Buckets of `width` that overlap `[start, end)` (unix seconds). Empty tuples mean no filter, no grouping."""

    start: int
    end: int
    width: Width = "1d"
    group_by: tuple[Dimension, ...] = ()
    project_ids: tuple[str, ...] = ()
    api_key_ids: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tag: str | None = None  # split by its values; keys are not known then

    @property
    def needs_keys(self) -> bool:
        return "key" in self.group_by or bool(self.api_key_ids)

    def bounds(self) -> list[int]:
        """Starts of all buckets, and the end of the last."""
        step = SECONDS[self.width]
        first = self.start - self.start % step
        count = max(1, -(-(self.end - first) // step))
        return [first + number * step for number in range(count + 1)]

    def group(self, project: str, key: str | None, model: str, tag: str | None = None) -> Group | None:
        """The group a roll-up field belongs to, None where a filter leaves it out."""
        wanted = (
            (not self.project_ids or project in self.project_ids)
            and (not self.api_key_ids or key in self.api_key_ids)
            and (not self.models or model in self.models)
        )
        if not wanted:
            return None
        return (
            project if "project" in self.group_by else None,
            key if "key" in self.group_by else None,
            model if "model" in self.group_by else None,
            tag,
        )


@dataclass(slots=True)
class _Sums:
    """Adds up one bucket."""

    groups: dict[Group, Usage] = field(default_factory=dict)

    def add(self, group: Group | None, sums: Sequence[int]) -> None:
        if group is None:
            return
        found = self.groups.get(group)
        if found is None:
            found = self.groups[group] = Usage(*group)
        found.add(sums)

    def results(self) -> list[Usage]:
        return [self.groups[group] for group in sorted(self.groups, key=lambda group: [part or "" for part in group])]


async def read_usage(store: Store, layout: Layout, query: UsageQuery) -> list[Bucket]:
    """All buckets of a query, oldest first, empty ones included."""
    bounds = query.bounds()
    if query.tag is not None:
        sums = await _by_tag(store, layout, query, bounds)
    elif query.width == "1m":
        sums = await _minutes(store, layout, query, bounds)
    elif query.needs_keys:
        sums = await _by_key(store, layout, query, bounds)
    else:
        sums = await _by_project(store, layout, query, bounds)
    return [Bucket(start, end, found.results()) for (start, end), found in zip(pairwise(bounds), sums, strict=True)]


async def _by_key(store: Store, layout: Layout, query: UsageQuery, bounds: list[int]) -> list[_Sums]:
    letter = "h" if query.width == "1h" else "d"
    tables = await _read_hashes(store, [layout.shared("use", letter, start) for start in bounds[:-1]])
    found = [_Sums() for _ in tables]
    for sums, table in zip(found, tables, strict=True):
        for name, value in table.items():
            project, key, model = name.decode().split("|", 2)
            sums.add(query.group(project, key, model), parse_sums(value))
    return found


async def _by_tag(store: Store, layout: Layout, query: UsageQuery, bounds: list[int]) -> list[_Sums]:
    def parse(name: str) -> tuple[str, Group | None]:
        hour, project, model, label = name.split("|", 3)
        tag, _, value = label.partition("=")
        return hour, query.group(project, None, model, value) if tag == query.tag else None

    return await _by_hour(store, layout, "t", bounds, parse)


async def _by_project(store: Store, layout: Layout, query: UsageQuery, bounds: list[int]) -> list[_Sums]:
    def parse(name: str) -> tuple[str, Group | None]:
        hour, project, model = name.split("|", 2)
        return hour, query.group(project, None, model)

    return await _by_hour(store, layout, "p", bounds, parse)


async def _by_hour(
    store: Store, layout: Layout, letter: str, bounds: list[int], parse: Callable[[str], tuple[str, Group | None]]
) -> list[_Sums]:
    """Sums of roll-ups whose fields begin with their hour; `parse` takes a field apart."""
    step = bounds[1] - bounds[0]
    days = range(bounds[0] - bounds[0] % 86400, bounds[-1], 86400)
    tables = await _read_hashes(store, [layout.shared("use", letter, day) for day in days])
    found = [_Sums() for _ in bounds[:-1]]
    for table in tables:
        for name, value in table.items():
            hour, group = parse(name.decode())
            number = (int(hour) - bounds[0]) // step
            if 0 <= number < len(found):
                found[number].add(group, parse_sums(value))
    return found


async def _minutes(store: Store, layout: Layout, query: UsageQuery, bounds: list[int]) -> list[_Sums]:
    found = [_Sums() for _ in bounds[:-1]]
    filters = RowFilter(query.project_ids, query.api_key_ids, query.models, bounds[0] * 1000, bounds[-1] * 1000)
    async for row in iterate_rows(store, layout, filters):
        number = (row.created_ms // 1000 - bounds[0]) // SECONDS["1m"]
        found[number].add(query.group(row.project_id, row.api_key_id, row.model), row_sums(row))
    return found


def row_sums(row: Receipt) -> tuple[int, int, int, int, int, int, int, int]:
    """What a row adds to a roll-up field: requests, prompt, completion, cached, cost, neurons, failed, client gone."""
    return (
        1,
        row.prompt_tokens,
        row.completion_tokens,
        row.cached_tokens,
        row.cost_nano,
        row.neurons_nano or 0,
        int(row.end_reason == "failed"),
        int(row.end_reason == "client_gone"),
    )


async def _read_hashes(store: Store, names: Sequence[str]) -> list[dict[bytes, bytes]]:
    """Whole hashes in bounded steps, so that a large one never stops the store; all of them advance together."""
    tables: list[dict[bytes, bytes]] = [{} for _ in names]
    open_scans: dict[int, bytes] = dict.fromkeys(range(len(names)), b"0")
    while open_scans:
        numbers = list(open_scans)
        replies = await store.pipeline(
            [("HSCAN", names[number], open_scans[number], "COUNT", SCAN_COUNT) for number in numbers]
        )
        for number, (cursor, flat) in zip(numbers, replies, strict=True):
            tables[number].update(zip(flat[::2], flat[1::2], strict=True))
            open_scans[number] = cursor
            if cursor == b"0":
                del open_scans[number]
    return tables


def total(usages: Iterable[Usage]) -> Usage:
    """The sum of several groups, ungrouped."""
    found = Usage(None, None, None)
    for usage in usages:
        found.add(
            (
                usage.requests,
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                usage.cost_nano,
                usage.neurons_nano,
                usage.failed,
                usage.client_gone,
            )
        )
    return found
