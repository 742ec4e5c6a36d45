"""What the last reconciliation with the provider's analytics said: kept in the store for every worker to show."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import StoreAway
from gateway.ledger.audit.reading import read_hash
from gateway.ledger.rollups import UsageQuery, read_usage, total
from gateway.store.contract import Store
from gateway.store.layout import Layout

ROUND_SECONDS: Final = 30.0
_DAY: Final = 86_400


@dataclass(slots=True, frozen=True)
class Reconciliation:
    """Nano-neurons of a UTC day (unix seconds of its start): the ledger's and the provider's."""

    day: int
    ours_nano: int
    theirs_nano: int

    @property
    def captured(self) -> float | None:
        """The share of theirs that the ledger has; None where they have nothing."""
        return self.ours_nano / self.theirs_nano if self.theirs_nano else None


async def reconcile(store: Store, layout: Layout, day: int, theirs_nano: int) -> Reconciliation:
    """Hold the provider's figure of a day against the roll-ups, and keep the outcome. Raises StoreAway."""
    buckets = await read_usage(store, layout, UsageQuery(day, day + _DAY, "1d"))
    ours_nano = sum(total(bucket.results).neurons_nano for bucket in buckets)
    await store.command("HSET", _key(layout), "day", day, "ours", ours_nano, "theirs", theirs_nano)
    return Reconciliation(day, ours_nano, theirs_nano)


async def read_reconciliation(store: Store, layout: Layout) -> Reconciliation | None:
    """The last one that was kept; None before the first."""
    found = await read_hash(store, _key(layout))
    return Reconciliation(*(int(found[name]) for name in ("day", "ours", "theirs"))) if found else None


async def watch_reconciliation(store: Store, layout: Layout, report: Callable[[Reconciliation], None]) -> None:
    """Report the last one again and again, until cancelled."""
    while True:
        with suppress(StoreAway):  # the store's own gauge says so
            found = await read_reconciliation(store, layout)
            if found is not None:
                report(found)
        await asyncio.sleep(ROUND_SECONDS)


def _key(layout: Layout) -> str:
    return layout.shared("reconciliation")
