"""Compares what holds reserve with the held counters, and finds holds that nobody renews or ends. Never writes.

One Lua step looks at all holds at once (held.lua); past `MOST_HOLDS` in flight it would keep the store too long, and
only counts.
"""

from collections.abc import Sequence

from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.row_check import Look
from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout

MOST_HOLDS = 5_000
ORPHAN_MS = 60_000  # past its lease; any living worker ends such a hold within 10 s
_SCOPES_AT_ONCE = 500


async def check_holds(store: Store, layout: Layout, scopes: Sequence[str], now: str = "") -> Look:
    """One look at every hold and the held counters of `scopes`. `now` (ms) replaces the store's clock in tests."""
    look = Look()
    holds = layout.shared("holds")
    for start in range(0, len(scopes), _SCOPES_AT_ONCE):
        part = scopes[start : start + _SCOPES_AT_ONCE]
        keys: list[Argument] = [holds, layout.shared("leases"), *(layout.spent(scope) for scope in part)]
        _, orphans, flat = await store.script("held", keys, [now, MOST_HOLDS, ORPHAN_MS, *part])
        for number in range(0, len(flat), 4):
            place, subject, reserved, said = flat[number : number + 4]
            key = layout.spent(part[place - 3])
            look.findings.append(Finding("held", key, subject.decode(), (int(reserved),), (int(said),)))
        if start == 0:
            look.findings += [Finding("orphans", holds, name.decode(), (0,), (1,)) for name in orphans]
    return look
