"""Reading ledger rows, newest first, through their time indexes. Never writes.

A page is a merge of as many indexes as there are scopes asked for (each key's, else each project's, else all), so
its cost follows the page and not the ledger. A row that was trimmed while its index entry still stands is skipped.
"""

import heapq
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from gateway.core.receipt import Receipt
from gateway.store.contract import Store
from gateway.store.layout import Layout
from gateway.store.stored import stored

CHUNK = 100  # index entries asked for at a time

decode_row = stored(Receipt, "row")


@dataclass(slots=True, frozen=True)
class RowFilter:
    """What to list. Empty tuples mean all; times are unix milliseconds, start inclusive, end exclusive."""

    project_ids: tuple[str, ...] = ()
    api_key_ids: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None

    def admits(self, row: Receipt) -> bool:
        """Whether a row found through any index belongs to the answer."""
        return (
            (not self.project_ids or row.project_id in self.project_ids)
            and (not self.api_key_ids or row.api_key_id in self.api_key_ids)
            and (not self.models or row.model in self.models)
        )


Place = tuple[int, bytes]  # created_ms and id: the order of rows, newest first


async def get_row(store: Store, layout: Layout, request_id: str) -> Receipt | None:
    """One row by its request id, or None."""
    found = await store.command("GET", layout.row(request_id))
    return None if found is None else decode_row(found)


async def list_rows(
    store: Store, layout: Layout, filters: RowFilter, limit: int, after: str | None = None
) -> tuple[list[Receipt], str | None]:
    """At most `limit` rows, newest first, and the cursor of the next page (None at the end).

    `after` is a cursor from an earlier page; raises ValueError for any other text.
    """
    places = _places(store, layout, filters, None if after is None else _read_cursor(after))
    rows: list[Receipt] = []
    chunk: list[Place] = []
    async for place in places:
        chunk.append(place)
        if len(chunk) < CHUNK:
            continue
        if await _take(store, layout, filters, chunk, rows, limit):
            return rows[:limit], _cursor(rows[limit - 1])
        chunk.clear()
    if await _take(store, layout, filters, chunk, rows, limit):
        return rows[:limit], _cursor(rows[limit - 1])
    return rows, None


async def iterate_rows(store: Store, layout: Layout, filters: RowFilter) -> AsyncIterator[Receipt]:
    """All rows of a filter, newest first: for minute buckets, exports and checks."""
    after: str | None = None
    while True:
        rows, after = await list_rows(store, layout, filters, CHUNK, after)
        for row in rows:
            yield row
        if after is None:
            return


async def _take(
    store: Store, layout: Layout, filters: RowFilter, chunk: Sequence[Place], rows: list[Receipt], limit: int
) -> bool:
    """Read a chunk's rows and keep those asked for; whether there are more than `limit` now."""
    if not chunk:
        return False
    found = await store.pipeline([("GET", layout.row(name.decode())) for _, name in chunk])
    rows.extend(row for row in (decode_row(data) for data in found if data is not None) if filters.admits(row))
    return len(rows) > limit


async def _places(store: Store, layout: Layout, filters: RowFilter, after: Place | None) -> AsyncIterator[Place]:
    """The merged index entries of a filter, newest first, after the cursor, each once."""
    scopes = [f"k:{name}" for name in filters.api_key_ids] or [f"p:{name}" for name in filters.project_ids] or [""]
    sources = [_IndexReader(store, layout.rows(scope), filters, after) for scope in dict.fromkeys(scopes)]
    heap: list[tuple[int, _Descending, int]] = []
    for number, source in enumerate(sources):
        await _push(heap, number, source)
    while heap:
        negative_ms, name, number = heapq.heappop(heap)
        yield -negative_ms, name.value
        await _push(heap, number, sources[number])


async def _push(heap: list[tuple[int, "_Descending", int]], number: int, source: "_IndexReader") -> None:
    place = await source.next()
    if place is not None:
        heapq.heappush(heap, (-place[0], _Descending(place[1]), number))


@dataclass(slots=True, frozen=True)
class _Descending:
    """Bytes that sort backwards."""

    value: bytes

    def __lt__(self, other: "_Descending") -> bool:
        return self.value > other.value


class _IndexReader:
    """Walks one index from its newest entry, a chunk at a time, by place and not by rank: new rows shift nothing."""

    def __init__(self, store: Store, index: str, filters: RowFilter, after: Place | None) -> None:
        self._store = store
        self._index = index
        self._start = "-inf" if filters.start_ms is None else str(filters.start_ms)
        self._end = "+inf" if filters.end_ms is None else f"({filters.end_ms}"
        self._last = after
        self._chunk: list[Place] = []
        self._is_done = False

    async def next(self) -> Place | None:
        if not self._chunk and not self._is_done:
            await self._fill()
        return self._chunk.pop() if self._chunk else None

    async def _fill(self) -> None:
        top = self._end if self._last is None else str(self._last[0])
        offset = 0
        while not self._chunk and not self._is_done:
            reply = await self._store.command(
                "ZREVRANGEBYSCORE", self._index, top, self._start, "WITHSCORES", "LIMIT", offset, CHUNK
            )
            found = [(int(float(score)), name) for name, score in zip(reply[::2], reply[1::2], strict=True)]
            # Entries of the cursor's own millisecond come again: those up to it are left out.
            self._chunk = [place for place in reversed(found) if self._last is None or place < self._last]
            self._is_done = len(found) < CHUNK
            offset += CHUNK
        if self._chunk:
            self._last = self._chunk[0]


def _cursor(row: Receipt) -> str:
    return f"{row.created_ms}_{row.id}"


def _read_cursor(text: str) -> Place:
    created, mark, name = text.partition("_")
    if not mark or not created.isdecimal():
        raise ValueError("not a cursor of this list")
    return int(created), name.encode()
