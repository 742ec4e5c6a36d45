"""Trimming: the oldest rows leave the store once they are exported to a file, and their sums stay as opening balance.

In this order, each step repeatable by whoever comes next: the rows are appended to the export and reach the disk; in
one step their sums are added to the balance and their ids noted; the rows are deleted; the note is cleared. What dies
in between is taken up at the note, or exports the same rows again. Only the worker that checks the books trims.
"""

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from gateway.core.receipt import Receipt
from gateway.ledger.audit.opening import OpeningState, read_state
from gateway.ledger.audit.reading import Indexed, walk_rows
from gateway.ledger.audit.row_check import HOUR
from gateway.ledger.audit.sums import ZERO, Sums, parse_sums, plus, write_sums
from gateway.ledger.places import rollup_name
from gateway.ledger.rollups import row_sums
from gateway.ledger.rows import decode_row
from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout

BATCH: Final = 500
BATCHES_PER_ROUND: Final = 20
YOUNGEST_MS: Final = 3_600_000  # rows of the last hour stay, however many there are: they are still being written
_DAY: Final = 86_400

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, frozen=True)
class Retention:
    """How long rows stay: so many days, and no more than so many."""

    days: int
    max_rows: int


class Trimmer:
    """Keeps the rows within `retention`; exports go to `folder`. Times are the store's."""

    def __init__(self, store: Store, layout: Layout, folder: Path, retention: Retention) -> None:
        self.trimmed = 0
        self._store = store
        self._layout = layout
        self._folder = folder
        self._retention = retention

    async def round(self, now_ms: int | None = None) -> int:
        """Trim what is due, a bounded portion; how many rows. Raises StoreAway, OSError (nothing is lost by either)."""
        if now_ms is None:
            now_ms = int((await self._store.command("TIME"))[0]) * 1000
        before = self.trimmed
        await self._finish(await read_state(self._store, self._layout))
        for _ in range(BATCHES_PER_ROUND):
            entries = await self._due(now_ms)
            if not entries or not await self._trim(entries):
                break
            self.trimmed += len(entries)
        return self.trimmed - before

    async def _due(self, now_ms: int) -> list[Indexed]:
        """The next rows to go, oldest first. One whose estimate a receipt may still correct has to wait."""
        too_many = int(await self._store.command("ZCARD", self._layout.rows())) - self._retention.max_rows
        too_old_ms = now_ms - self._retention.days * _DAY * 1000
        end_ms = now_ms - YOUNGEST_MS if too_many > 0 else min(too_old_ms, now_ms - YOUNGEST_MS)
        found: list[Indexed] = []
        async for entries in walk_rows(self._store, self._layout, 0, end_ms):
            due = [entry for entry in entries if entry.created_ms < too_old_ms or len(found) < too_many]
            names = [entry.id for entry in entries]
            open_ids = await self._store.command("HMGET", self._layout.shared("expired"), *names)
            waits = {name for name, record in zip(names, open_ids, strict=True) if record is not None}
            found += [entry for entry in due if entry.id not in waits]
            if len(found) >= BATCH or len(due) < len(entries):
                break
        return found[: min(BATCH, max(too_many, _older(found, too_old_ms)))]

    async def _trim(self, entries: Sequence[Indexed]) -> bool:
        rows = [entry.row for entry in entries if entry.row is not None]
        await asyncio.to_thread(self._export, rows)
        state = await read_state(self._store, self._layout)
        first = min(entry.created_ms for entry in entries) // 1000
        cut = max(entry.created_ms for entry in entries) // 1000
        noted = OpeningState(
            max(cut - cut % HOUR, state.cut or 0),
            tuple(entry.id for entry in entries),
            state.version + 1,
            state.rows + len(rows),
        )
        sums = await self._with_balance(rows)
        if not await self._change(state, noted, sums, first - first % _DAY):
            return False  # somebody else trims: the exported rows are theirs now, and stand in two files
        await self._finish(noted)
        return True

    def _export(self, rows: Iterable[Receipt]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        with (self._folder / f"rows-{day}.jsonl").open("ab") as file:
            for row in rows:
                file.write(_encode(row) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    async def _with_balance(self, rows: Iterable[Receipt]) -> dict[str, Sums]:
        """The balance's fields as they will be with these rows."""
        added: dict[str, Sums] = {}
        for row in rows:
            name = rollup_name(row.project_id, row.api_key_id, row.model)
            added[name] = plus(added.get(name, ZERO), row_sums(row))
        if not added:
            return {}
        found = await self._store.command("HMGET", self._layout.shared("opening"), *added)
        return {name: plus(parse_sums(old), added[name]) for name, old in zip(added, found, strict=True)}

    async def _change(self, state: OpeningState, following: OpeningState, sums: dict[str, Sums], first: int) -> bool:
        """Write state and balance if nobody else has; `first` is the first day that anything was trimmed of."""
        keys = [self._layout.shared("opening_state"), self._layout.shared("opening")]
        known = await self._store.command("HGET", keys[0], "first")
        fields = {
            "cut": following.cut,
            "pending": _encode(following.pending).decode(),
            "version": following.version,
            "rows": following.rows,
            "first": first if known is None else min(first, int(known)),
        }
        writes: list[list[str | int]] = [["HSET", 1, *(str(part) for pair in fields.items() for part in pair)]]
        if sums:
            writes.append(["HSET", 2, *(part for name, each in sums.items() for part in (name, write_sums(each)))])
        guard = [1, "version", str(state.version) if state.version else False]
        body = _encode({"guards": [guard], "writes": writes})
        return bool(await self._store.script("change_records", keys, [body]))

    async def _finish(self, state: OpeningState) -> None:
        """Delete the rows that are noted, entries of the indexes first, and clear the note."""
        if not state.pending:
            return
        found = await self._store.pipeline([("GET", self._layout.row(name)) for name in state.pending])
        rows = [decode_row(data) for data in found if data is not None]
        commands: list[list[Argument]] = [["ZREM", self._layout.rows(), *state.pending]]
        commands += [
            ["ZREM", self._layout.rows(scope), *(row.id for row in rows if scope in _scopes(row))]
            for scope in sorted({scope for row in rows for scope in _scopes(row)})
        ]
        commands.append(["DEL", *(self._layout.row(row.id) for row in rows)] if rows else ["PING"])
        await self._store.pipeline(commands)
        first = int(await self._store.command("HGET", self._layout.shared("opening_state"), "first"))
        await self._change(state, OpeningState(state.cut, (), state.version + 1, state.rows), {}, first)


def _older(entries: Sequence[Indexed], moment_ms: int) -> int:
    return sum(1 for entry in entries if entry.created_ms < moment_ms)


def _scopes(row: Receipt) -> tuple[str, str]:
    return f"p:{row.project_id}", f"k:{row.api_key_id}"
