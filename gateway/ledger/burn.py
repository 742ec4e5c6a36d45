"""How many neurons the organisation has used today (UTC), hour by hour, from the day's roll-up. Never writes."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import RecordUnreadable, StoreAway
from gateway.core.forecast import Forecast, forecast
from gateway.core.neurons import NANO
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
    """Today's burn. Raises StoreAway, RecordUnreadable."""
    now = int((await store.command("TIME"))[0])
    buckets = await read_usage(store, layout, UsageQuery(now - now % _DAY, now + 1, "1h"))
    return Burn(now, tuple(total(bucket.results).neurons_nano for bucket in buckets))


async def watch_burn(
    store: Store, layout: Layout, free_per_day: int, report: Callable[[Burn, Forecast], None], *, warns: bool = False
) -> None:
    """Report burn and forecast again and again, until cancelled.

    With `warns` the log is told once a day that the free neurons will not last, at the pace of the last hours.
    """
    warned = -1
    while True:
        try:
            burn = await read_burn(store, layout)
            ahead = forecast(burn.by_hour, burn.now, free_per_day * NANO)
            report(burn, ahead)
            if warns and ahead.exhausted_at is not None and warned != burn.now // _DAY:
                warned = burn.now // _DAY
                _log.warning("%s", _told(burn, ahead, free_per_day))
        except StoreAway as error:
            _log.info("today's neurons wait for the store: %s", error.message)
        except RecordUnreadable as error:
            _log.warning("today's neurons cannot be counted: %s", error.message)
        await asyncio.sleep(ROUND_SECONDS)


def _told(burn: Burn, ahead: Forecast, free_per_day: int) -> str:
    moment = time.strftime("%H:%M", time.gmtime(ahead.exhausted_at))
    return (
        f"{burn.neurons_nano / NANO:.0f} of {free_per_day} free neurons are used today; they last until {moment} UTC "
        f"at the present pace, which comes to {ahead.by_midnight_nano / NANO:.0f} by midnight"
    )
