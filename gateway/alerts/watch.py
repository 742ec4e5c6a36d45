"""Watches budgets beside the requests: one worker of all replicas looks at what has been used every few seconds.

Which scopes to look at it learns from the roll-ups of the hour, which settling writes anyway, and from the audit, which
knows of every changed limit: nothing is added to a request. What is reached is raised once per window and threshold,
across all replicas, by a claim in the store.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.alerts.exhaustion import NEARLY_ALL
from gateway.alerts.owners import Subject, counters, read_owners
from gateway.alerts.queue import AlertQueue
from gateway.core.alerts import (
    Owner,
    ReachedThreshold,
    WatchedAmount,
    budget_windows,
    reached_amounts,
    watched_counters,
)
from gateway.core.errors import StoreAway
from gateway.core.limits import Meter, Window
from gateway.store.contract import Store
from gateway.store.layout import Layout
from gateway.store.lease import Lease
from gateway.store.stored import readable, stored

ROUND_SECONDS: Final = 5.0
LEASE_MS: Final = 15_000  # another worker takes over so long after the last one died

_LONGEST_PAUSE = 10.0
_HOUR = 3600
_SCAN = 1_000  # fields of a roll-up in one round trip
_BATCH = 50  # scopes looked at at a time: a few milliseconds, in which the worker does nothing else
_MOST_RAISED = 100_000  # remembered claims; beyond that the store is asked again
_ORGANIZATION: Subject = ("organization", "")

_log = logging.getLogger("gateway.alerts")


class _Details(msgspec.Struct):
    project: str | None = None


_decode_details = stored(_Details, "audit entry")

Report = Callable[[ReachedThreshold], None]


class AlertWatch:
    """One worker's part. `percents` are those in force, `name` tells it from the others, `report` hears what is new."""

    def __init__(
        self, store: Store, layout: Layout, percents: Callable[[], tuple[int, ...]], name: str, report: Report
    ) -> None:
        self._store = store
        self._layout = layout
        self._percents = percents
        self._lease = Lease(store, layout.shared("alerts_lease"), name, LEASE_MS)
        self._report = report
        self._queue = AlertQueue(store, layout)
        self._seen: dict[int, dict[bytes, bytes]] = {}  # hour → what each field of its roll-up said
        self._raised: set[str] = set()
        self._last_act = ""
        self._is_whole = True  # the last round was made to its end
        self.is_mine = False

    async def run(self) -> None:
        """Look again and again, until cancelled; then leave it to another worker at once."""
        try:
            while True:
                await self._look_and_wait()
        finally:
            with contextlib.suppress(StoreAway):
                await self._lease.release()

    async def _look_and_wait(self) -> None:
        begun = time.monotonic()
        try:
            await self.round()
        except StoreAway as error:
            _log.info("the watch over budgets waits for the store: %s", error.message)
        except (ValueError, msgspec.MsgspecError):  # unreadable is worth a line each time, and no reason to stop
            _log.exception("budgets could not be looked at")
        # With very many keys a round takes its time: then it comes less often.
        await asyncio.sleep(min(_LONGEST_PAUSE, max(ROUND_SECONDS, 10 * (time.monotonic() - begun))))

    async def round(self) -> None:
        """Look at everything that was used since the last round, if nobody else does."""
        was_mine, self.is_mine = self.is_mine, await self._lease.hold()
        if not self.is_mine:
            return
        if not was_mine or not self._is_whole:
            self._seen.clear()  # the last one, whoever made it, may have ended in the middle
            self._last_act = ""
        self._is_whole = False
        now = int((await self._store.command("TIME"))[0])
        subjects = list(await self._used_lately(now) | await self._acted_on(now))
        windows = budget_windows(now * 1000, self._layout.zone)
        for start in range(0, len(subjects), _BATCH):
            await self._look_at(subjects[start : start + _BATCH], windows, now * 1000)
        self._is_whole = True

    async def _used_lately(self, now: int) -> set[Subject]:
        """The scopes whose roll-up of this hour or the last one is not what it was a round ago."""
        hour = now - now % _HOUR
        known, self._seen = self._seen, {}
        found: set[Subject] = set()
        for start in (hour - _HOUR, hour):
            seen = self._seen[start] = known.get(start, {})
            async for field, value in self._fields(self._layout.shared("use", "h", start)):
                if seen.get(field) != value:
                    seen[field] = value
                    project, key, _ = field.decode().split("|", 2)
                    found |= {_ORGANIZATION, ("project", project), ("key", key)}
        return found

    async def _fields(self, key: str) -> AsyncIterator[tuple[bytes, bytes]]:
        cursor = b"0"
        while True:
            cursor, flat = await self._store.command("HSCAN", key, cursor, "COUNT", _SCAN)
            for pair in zip(flat[::2], flat[1::2], strict=True):
                yield pair
            if cursor == b"0":
                return

    async def _acted_on(self, now: int) -> set[Subject]:
        """What administrators changed since the last round; at first, within the last hour."""
        start = f"({self._last_act}" if self._last_act else str((now - _HOUR) * 1000)
        entries = await self._store.command("XRANGE", self._layout.shared("audit"), start, "+", "COUNT", _SCAN)
        found: set[Subject] = {_ORGANIZATION} if entries else set()
        for place, flat in entries:
            self._last_act = place.decode()
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            details = readable(_decode_details, [fields.get(b"details", b"{}")])
            for name in (fields.get(b"target", b"").decode(), *(each.project or "" for each in details)):
                scope = {"proj": "project", "key": "key"}.get(name.partition("_")[0])
                if scope is not None:
                    found.add((scope, name))
        return found

    async def tell_exhausted(self, subjects: Sequence[Subject]) -> None:
        """Raise the 100 % of budgets that refuse requests with next to nothing left. Any worker's to do."""
        percents = [percent for percent in self._percents() if percent <= 100]
        if not subjects or 100 not in percents:
            return
        now_ms = int((await self._store.command("TIME"))[0]) * 1000
        for owner, meter, used in await self._standing(subjects, budget_windows(now_ms)):
            if meter.limit and used * 100 >= meter.limit * NEARLY_ALL:
                lower = reached_amounts(owner, meter, used, percents)  # they come first, whoever is quicker
                for amount in (*lower, WatchedAmount(owner, meter, meter.limit, 100)):
                    await self._raise(amount, used, now_ms)

    async def _look_at(self, subjects: Sequence[Subject], windows: Mapping[str, Window], now_ms: int) -> None:
        percents = self._percents()
        for owner, meter, used in await self._standing(subjects, windows):
            for amount in reached_amounts(owner, meter, used, percents):
                await self._raise(amount, used, now_ms)

    async def _standing(
        self, subjects: Sequence[Subject], windows: Mapping[str, Window]
    ) -> list[tuple[Owner, Meter, int]]:
        """Every budget of these with what is used of it."""
        owners = await read_owners(self._store, self._layout, subjects)
        watched = [(owner, meter) for owner in owners for meter in watched_counters(owner, windows)]
        used = await self._store.pipeline(
            [("HGET", self._layout.spent(counters(owner)), meter.used_field) for owner, meter in watched]
        )
        return [(owner, meter, int(value or 0)) for (owner, meter), value in zip(watched, used, strict=True)]

    async def _raise(self, amount: WatchedAmount, used: int, now_ms: int) -> None:
        if amount.claim in self._raised:
            return
        if len(self._raised) >= _MOST_RAISED:
            self._raised.clear()
        reached = await self._queue.claim(amount, used, now_ms)
        self._raised.add(amount.claim)
        if reached is not None:
            _log.warning("budget alert: %s", reached.sentence())
            self._report(reached)
