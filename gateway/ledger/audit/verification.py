"""Going through the books portion by portion: which look comes next, when a difference counts, what is repaired.

Order: the opening balance, then hour after hour (rows against the hour's roll-up), each day's roll-ups after its
hours, at last the counters and the holds. A portion has bounded work, so that a request, or the worker's own round,
stays short; its cursor says where the next one goes on.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from gateway.ledger.audit.book_check import check_counters, check_day
from gateway.ledger.audit.finding import Finding, agreeing
from gateway.ledger.audit.hold_check import check_holds
from gateway.ledger.audit.opening import OpeningState, check_opening, read_state
from gateway.ledger.audit.pruning import prune_counters
from gateway.ledger.audit.repair import repair
from gateway.ledger.audit.row_check import DAY, HOUR, Look, check_hour
from gateway.store.contract import Store
from gateway.store.layout import Layout

PAUSES = (0.3, 1.0, 2.0)
"""Seconds between looks at a difference. Together longer than a store connection takes to come back with the rows."""
ROWS_PER_PORTION = 20_000
COUNTERS = "counters"

Waiting = Callable[[], int]
"""Receipts that this worker's spool still has to bring to the store."""


class UnknownCursor(ValueError):
    """A cursor that no portion gave."""


@dataclass(slots=True)
class Portion:
    """What was looked at. `cursor` is where to go on, None at the end; `position` and `until` measure the way."""

    cursor: str | None = None
    position: int = 0  # unix seconds
    until: int = 0
    rows: int = 0
    hours: int = 0
    moving: int = 0  # fields that changed while they were read, so that nothing can be said about them now
    waiting: int = 0  # differences that receipts on their way explain
    findings: list[Finding] = field(default_factory=list)
    repaired: list[Finding] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class Assignment:
    """What to look at: from `since` (unix seconds; None: everything) on, `cursor` of the portion before."""

    since: int | None = None
    cursor: str | None = None
    rows: int = ROWS_PER_PORTION
    is_repair: bool = False


class Verifier:
    """Checks one organisation's books. `pauses` are shorter in tests."""

    def __init__(self, store: Store, layout: Layout, waiting: Waiting = int, pauses: Sequence[float] = PAUSES) -> None:
        self._store = store
        self._layout = layout
        self._waiting = waiting
        self._pauses = pauses

    async def portion(self, assignment: Assignment) -> Portion:
        """Look at the next portion. Raises StoreAway; UnknownCursor."""
        now = int((await self._store.command("TIME"))[0])
        first = await self._first_day(now)
        state = await read_state(self._store, self._layout)
        portion = Portion(until=now, position=now)
        if assignment.cursor == COUNTERS:
            await self._check_books(first, now, portion, assignment)
            return portion
        hour = _first_hour(assignment, first)
        if assignment.cursor is None and hour <= (state.cut or -1):
            await self._settle(lambda: check_opening(self._store, self._layout, first), portion, assignment)
        while hour <= now:
            if hour % DAY == 0 and not await self._is_used(hour):
                hour += DAY
                continue
            await self._check_hour(hour, state, portion, assignment)
            hour += HOUR
            if hour % DAY == 0 or hour > now:
                day = (hour - HOUR) - (hour - HOUR) % DAY
                await self._settle(lambda day=day: check_day(self._store, self._layout, day), portion, assignment)  # type: ignore[misc]  # mypy does not type a lambda's default
            if portion.rows >= assignment.rows and hour <= now:
                portion.cursor, portion.position = str(hour), hour
                return portion
        portion.cursor = COUNTERS
        return portion

    async def prune(self, now: int) -> int:
        """Let go of counters of times long past; how many."""
        return await prune_counters(self._store, self._layout, await self._scopes(), now)

    async def _check_hour(self, hour: int, state: OpeningState, portion: Portion, assignment: Assignment) -> None:
        async def look() -> Look:
            # Asked again each time: the hour may be trimmed between two looks, and is the balance's from then on.
            now = await read_state(self._store, self._layout)
            return Look() if now.covers(hour) else await check_hour(self._store, self._layout, hour)

        if not state.covers(hour):
            await self._settle(look, portion, assignment)
            portion.hours += 1

    async def _check_books(self, first: int, now: int, portion: Portion, assignment: Assignment) -> None:
        days = list(range(first, now + DAY + 1, DAY))  # and tomorrow: the store's clock may have been ahead
        scopes = await self._scopes()
        await self._settle(lambda: check_counters(self._store, self._layout, days, scopes), portion, assignment)
        await self._settle(lambda: check_holds(self._store, self._layout, scopes), portion, assignment)

    async def _settle(self, look: Callable[[], Awaitable[Look]], portion: Portion, assignment: Assignment) -> None:
        """Look until what is found is surely there: a finding counts that every look shows with the same difference."""
        found = await look()
        portion.rows += found.rows
        portion.moving += found.moving
        for pause in self._pauses:
            if not found.findings:
                return
            await asyncio.sleep(pause)
            again = await look()
            found = Look(agreeing(found.findings, again.findings))
        if found.findings and await self._is_waiting():
            late = [each for each in found.findings if each.check in ("rows", "opening", "index")]
            portion.waiting += len(late)
            found.findings = [each for each in found.findings if each not in late]
        if assignment.is_repair and found.findings:
            await self._mend(look, found.findings, portion)
        else:
            portion.findings += found.findings

    async def _mend(self, look: Callable[[], Awaitable[Look]], findings: list[Finding], portion: Portion) -> None:
        """Indexes first: what rows add up to is known only when all of them are found."""
        indexes = [each for each in findings if each.check == "index"]
        for finding in indexes:
            await self._mend_one(finding, portion)
        for finding in (await look()).findings if indexes else findings:
            await self._mend_one(finding, portion)

    async def _mend_one(self, finding: Finding, portion: Portion) -> None:
        is_mended = await repair(self._store, self._layout, finding)
        (portion.repaired if is_mended else portion.findings).append(finding)

    async def _is_waiting(self) -> bool:
        """Whether settled receipts or ended holds still owe their rows."""
        return self._waiting() > 0 or bool(await self._store.command("HLEN", self._layout.shared("rowless")))

    async def _is_used(self, day: int) -> bool:
        """Whether anything was booked or written on a day."""
        use = [self._layout.shared("use", letter, day) for letter in ("d", "p")]
        use += [self._layout.shared("use", "h", hour) for hour in range(day, day + DAY, HOUR)]
        index = ("ZCOUNT", self._layout.rows(), day * 1000, f"({(day + DAY) * 1000}")
        booked, rows = await self._store.pipeline([("EXISTS", *use), index])
        return bool(booked or rows)

    async def _first_day(self, now: int) -> int:
        """The first day (unix seconds) on which anything can have been booked."""
        project, row = await self._store.pipeline(
            [
                ("ZRANGE", self._layout.shared("projects"), 0, 0, "WITHSCORES"),
                ("ZRANGE", self._layout.rows(), 0, 0, "WITHSCORES"),
            ]
        )
        first = await self._store.command("HGET", self._layout.shared("opening_state"), "first")
        moments = [now, *(int(float(score)) for score in project[1:])]
        moments += [int(float(score)) // 1000 for score in row[1:]]
        moments += [int(first)] if first is not None else []
        return min(moments) - min(moments) % DAY

    async def _scopes(self) -> list[str]:
        projects, keys = await self._store.pipeline(
            [
                ("ZRANGE", self._layout.shared("projects"), 0, -1),
                ("HKEYS", self._layout.shared("key_hashes")),
            ]
        )
        return ["o", *(f"p:{name.decode()}" for name in projects), *(f"k:{name.decode()}" for name in keys)]


def _first_hour(assignment: Assignment, first: int) -> int:
    if assignment.cursor is not None:
        if not re.fullmatch(r"[0-9]{1,11}", assignment.cursor):
            raise UnknownCursor("not a cursor of a verification")
        hour = int(assignment.cursor)
        return max(first, hour - hour % HOUR)
    since = first if assignment.since is None else assignment.since
    return max(first, since - since % HOUR)
