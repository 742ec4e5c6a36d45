"""How many neurons the organisation has used today (UTC), hour by hour, from the day's roll-up. Never writes."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import StoreAway
from gateway.ledger.rollups import UsageQuery, read_usage, total
from gateway.store.contract import Store
from gateway.store.layout import Layout

ROUND_SECONDS: Final = 10.0
_DAY: Final = 86_400

_log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class Burn:
    """Nano-neurons of each hour of a UTC day that has begun, from its start; `now` is the store's clock (unix s)."""

    now: int
    by_hour: tuple[int, ...]

    @property
    def neurons_nano(self) -> int:
        """Of the day so far."""
        return sum(self.by_hour)


async def read_burn(store: Store, layout: Layout) -> Burn:
    """Today's burn. Raises StoreAway."""
    now = int((await store.command("TIME"))[0])
    buckets = await read_usage(store, layout, UsageQuery(now - now % _DAY, now + 1, "1h"))
    return Burn(now, tuple(total(bucket.results).neurons_nano for bucket in buckets))


async def watch_burn(store: Store, layout: Layout, report: Callable[[Burn], None]) -> None:
    """Report the burn again and again, until cancelled."""
    while True:
        try:
            report(await read_burn(store, layout))
        except StoreAway as error:
            _log.info("today's neurons wait for the store: %s", error.message)
        await asyncio.sleep(ROUND_SECONDS)
