"""Brings a spool's entries to the store, in order, each with its row, and confirms them. Owns no task and no clock.

An entry counts as confirmed when both its settle step and its row are answered. Whatever goes wrong in between, the
entries are sent again: the step knows by number what it has applied, and rows are idempotent by id.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import msgspec

from gateway.core.limits import Booking, booking_at
from gateway.ledger.entries import Entry, Release, Settle, decode_entry
from gateway.ledger.pace import pace_commands
from gateway.ledger.places import Places, packed_tags, rollup_name
from gateway.ledger.row_writing import row_commands
from gateway.ledger.spool import SpoolDirectory
from gateway.store.contract import Argument, Store

BATCH = 128
RECENT = 4096  # entries kept decoded; older ones are read back from disk

_log = logging.getLogger(__name__)


class Forwarder:
    """One spool's way to the store. `now_argument` is what the steps take for now: empty, or a test's clock."""

    def __init__(
        self, store: Store, places: Places, spool: SpoolDirectory, now_argument: Callable[[], str] = str
    ) -> None:
        self.spool = spool
        self.lost = 0  # entries the store has forgotten and we no longer have
        self._store = store
        self._places = places
        self._now_argument = now_argument
        self._recent: deque[tuple[int, Entry]] = deque()
        self._replay: Iterator[tuple[int, bytes]] | None = None
        self._replay_next = 0
        self._created: dict[int, int] = {}
        self._booking: Booking | None = None
        self._lock = asyncio.Lock()

    @property
    def pending(self) -> int:
        """Entries that are not confirmed yet."""
        return self.spool.last - self.spool.confirmed

    def offer(self, number: int, entry: Entry) -> None:
        """An entry that was just appended: spares reading it back."""
        if len(self._recent) < RECENT:
            self._recent.append((number, entry))

    async def advance(self) -> None:
        """Send until everything is confirmed. Raises StoreAway; may be called again at any time."""
        async with self._lock:
            while self.pending > 0:
                batch = self._next_batch()
                if not batch:
                    return
                if not await self._send(batch):
                    self._store.suspect()
                    await self._ask_applied()

    async def recover(self) -> None:
        """Ask the store how far it has come, on a connection that is new; go back where it has gone back."""
        async with self._lock:
            await self._ask_applied()

    async def _ask_applied(self) -> None:
        applied = int(await self._store.command("HGET", self._places.applied, self.spool.name) or 0)
        if applied < self.spool.confirmed:
            gone = max(0, self.spool.first - 1 - applied)
            self.lost += gone
            _log.warning(
                "the store went back in time: replaying spool %s from entry %d, %d entries are gone",
                self.spool.name, max(applied + 1, self.spool.first), gone,
            )  # fmt: skip
            self.spool.rewind(max(applied, self.spool.first - 1))

    def _next_batch(self) -> list[tuple[int, Entry]]:
        cursor = self.spool.confirmed + 1
        recent = self._recent
        while recent and recent[0][0] < cursor:
            recent.popleft()
        if recent and recent[0][0] == cursor:
            return list(islice(recent, BATCH))
        return self._read_back(cursor) or self._read_back(cursor)  # an old reading may end before new entries

    def _read_back(self, cursor: int) -> list[tuple[int, Entry]]:
        """The next entries from disk, going on where the last reading stopped."""
        if self._replay is None or self._replay_next != cursor:
            self._replay = self.spool.read(cursor)
        batch = [(number, decode_entry(payload)) for number, payload in islice(self._replay, BATCH)]
        self._replay_next = cursor + len(batch)
        if not batch:
            self._replay = None
        return batch

    async def _send(self, batch: list[tuple[int, Entry]]) -> bool:
        """One pipeline; whether the store's numbers fit ours."""
        batch = [(number, self._with_created(number, entry)) for number, entry in batch]
        steps = [self.step(number, entry) for number, entry in batch]
        receipts = [entry.receipt for _, entry in batch if isinstance(entry, Settle)]
        layout = self._places.layout
        replies = await self._store.pipeline(
            [*steps, *row_commands(layout, receipts), *pace_commands(layout, receipts)]
        )
        confirmed = self.spool.confirmed
        fits = True
        for (number, _), (word, value) in zip(batch, replies, strict=False):
            if word == b"GAP":
                fits = False
                break
            if word == b"CREATED":
                self._created[number] = value
                break
            confirmed = number
            self._created.pop(number, None)
        if confirmed > self.spool.confirmed:
            self.spool.confirm(confirmed)
        return fits

    def _with_created(self, number: int, entry: Entry) -> Entry:
        """The entry with the creation time its hold really had, where the store told us another."""
        created = self._created.get(number)
        if created is None:
            return entry
        if isinstance(entry, Release):
            return msgspec.structs.replace(entry, created_ms=created)
        return Settle(msgspec.structs.replace(entry.receipt, created_ms=created))

    def step(self, number: int, entry: Entry) -> Sequence[Argument]:
        """The settle step of one entry, as a command."""
        oldest = "1" if number == self.spool.first else "0"
        head = (self._now_argument(), self.spool.name, number, oldest)
        if isinstance(entry, Release):
            keys = self._places.settle(entry.project_id, entry.api_key_id, entry.created_ms)
            facts: tuple[Argument, ...] = (entry.id, "0", entry.created_ms, "", 0, 0, 0, 0, 0, 0)
            return self._store.step("settle", keys, (*head, *facts, self._booked(entry.created_ms), "", 0))
        row = entry.receipt
        keys = self._places.settle(row.project_id, row.api_key_id, row.created_ms)
        facts = (
            row.id,
            "1",
            row.created_ms,
            rollup_name(row.project_id, row.api_key_id, row.model),
            row.prompt_tokens,
            row.completion_tokens,
            row.cached_tokens,
            row.cost_nano,
            row.neurons_nano or 0,
            1 if row.end_reason == "failed" else 0,
        )
        rest = (
            self._booked(row.created_ms),
            packed_tags(row.tags, row.rolled_up),
            int(row.end_reason == "client_gone"),
        )
        return self._store.step("settle", keys, (*head, *facts, *rest))

    def _booked(self, created_ms: int) -> bytes:
        """The used fields of a time; the last ones asked for are nearly always the next."""
        if self._booking is None or not self._booking.covers(created_ms):
            self._booking = booking_at(created_ms, zone=self._places.layout.zone)
        return self._booking.packed
