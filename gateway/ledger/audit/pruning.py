"""Counters of days and weeks long past leave the store: roll-ups answer for them, and no limit looks at them any more.

What a label says of its time is read here and nowhere else. Months and totals stay: they are few.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final

from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout

KEPT_DAYS: Final = 35  # longer than any receipt may come late, and than anybody asks for yesterday
_SCOPES_AT_ONCE: Final = 100
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:@.*)?")
_WEEK: Final = re.compile(r"(\d{4})-W(\d{2})(?:@.*)?")


def is_past(label: str, now: int) -> bool:
    """Whether a window's counters may be gone at `now` (unix seconds)."""
    day, week = _DAY.fullmatch(label), _WEEK.fullmatch(label)
    if day:
        last = date.fromisoformat(day[1])
    elif week:
        last = date.fromisocalendar(int(week[1]), int(week[2]), 7)
    else:
        return False
    return last < datetime.fromtimestamp(now, UTC).date() - timedelta(days=KEPT_DAYS)


async def prune_counters(store: Store, layout: Layout, scopes: Iterable[str], now: int) -> int:
    """Delete what is past in the counters of these scopes; how many fields."""
    pruned = 0
    remaining = iter(scopes)
    while portion := list(islice(remaining, _SCOPES_AT_ONCE)):
        keys = [layout.spent(scope) for scope in portion]
        found = await store.pipeline([("HKEYS", key) for key in keys])
        commands: list[list[Argument]] = []
        for key, fields in zip(keys, found, strict=True):
            past = [field for field in map(bytes.decode, fields) if _is_counter(field) and is_past(_label(field), now)]
            pruned += len(past)
            commands += [["HDEL", key, *past]] if past else []
        if commands:
            await store.pipeline(commands)
    return pruned


def _is_counter(field: str) -> bool:
    """Used, or held: what is held in a window that ended weeks ago is nothing."""
    return field.startswith(("u:", "h:"))


def _label(field: str) -> str:
    return field.split(":", 2)[2]
