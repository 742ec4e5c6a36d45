"""Puts a difference right: the missing amount is added where it is missing, whatever was booked there meanwhile.

Rows are the truth; hours follow them, days follow hours, counters follow days. Nothing is ever overwritten blindly.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from gateway.ledger.audit.finding import Check, Finding
from gateway.ledger.audit.reading import walk_rows
from gateway.ledger.audit.row_check import HOUR
from gateway.ledger.audit.sums import ZERO, parse_sums, plus, write_sums
from gateway.ledger.rows import get_row
from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout

_ROUNDS = 10  # a field may be booked into between reading and writing it; more than a few times is a loop

_encode = msgspec.json.Encoder().encode


async def repair(store: Store, layout: Layout, finding: Finding) -> bool:
    """Whether it was put right; False for what cannot be."""
    mend = _MENDS.get(finding.check)
    return mend is not None and await mend(store, layout, finding)


async def _add_sums(store: Store, layout: Layout, finding: Finding) -> bool:
    """Seven sums lie in one text: it is compared and written in one step, again if somebody was quicker."""
    for _ in range(_ROUNDS):
        old = await store.command("HGET", finding.place, finding.subject)
        new = plus(parse_sums(old), finding.difference)
        write = ["HDEL", 1, finding.subject] if new == ZERO else ["HSET", 1, finding.subject, write_sums(new)]
        guard = [1, finding.subject, False if old is None else old.decode()]
        body = _encode({"guards": [guard], "writes": [write]})
        if await store.script("change_records", [finding.place], [body]):
            return True
    return False


async def _add_amount(store: Store, layout: Layout, finding: Finding) -> bool:
    await store.command("HINCRBY", finding.place, finding.subject, finding.difference[0])
    return True


async def _end_orphan(store: Store, layout: Layout, finding: Finding) -> bool:
    """Give it a lease that has run out: it is ended and gets its row in the ordinary way."""
    await store.command("ZADD", layout.shared("leases"), 0, finding.subject)
    return True


async def _mend_index(store: Store, layout: Layout, finding: Finding) -> bool:
    """Put an entry where its row says, or drop it if there is none; or enter the hour's rows into a short index."""
    if finding.subject:
        row = await get_row(store, layout, finding.subject)
        change: tuple[Argument, ...] = (
            ("ZREM", finding.place) if row is None else ("ZADD", finding.place, row.created_ms)
        )
        await store.command(*change, finding.subject)
        return True
    scope = finding.place.removeprefix(layout.rows("x").removesuffix("x"))
    end_ms = finding.created_ms + HOUR * 1000
    async for entries in walk_rows(store, layout, finding.created_ms, end_ms):
        rows = [entry.row for entry in entries if entry.row is not None]
        missing: list[Argument] = [
            part
            for row in rows
            if scope in (f"p:{row.project_id}", f"k:{row.api_key_id}")
            for part in (row.created_ms, row.id)
        ]
        if missing:
            await store.command("ZADD", finding.place, *missing)
    return True


Mend = Callable[[Store, Layout, Finding], Awaitable[bool]]

_MENDS: Final[Mapping[Check, Mend]] = MappingProxyType(
    {
        "rows": _add_sums,
        "rollups": _add_sums,
        "counters": _add_amount,
        "held": _add_amount,
        "orphans": _end_orphan,
        "index": _mend_index,
    }
)
