"""Raised alerts in the store: claimed once, kept as a history, handed to the delivery until they are delivered.

One stream of a bounded length is both history and queue: what lies behind the mark of the delivery is delivered. It
never talks to a receiver.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.core.alerts import ReachedThreshold, WatchedAmount
from gateway.store.contract import Store
from gateway.store.layout import Layout
from gateway.store.stored import readable, stored

MOST_ALERTS: Final = 1_000
"""Raised alerts that are kept. An undelivered one that falls out of them is lost, and counted."""

REACHED: Final = "budget.threshold_reached"
SPEND_ALERT: Final = "spend_alert.reached"
TEST: Final = "alert.test"


class RaisedEvent(msgspec.Struct, frozen=True):
    """An alert as it lies in the store. `created` is unix seconds."""

    type: str
    created: int
    data: ReachedThreshold | None = None  # None: a test


@dataclass(slots=True, frozen=True)
class RaisedAlert:
    """An alert with its place in the stream (`<ms>-<number>`)."""

    place: str
    event: RaisedEvent

    @property
    def id(self) -> str:
        """Its name, the same at every delivery."""
        return f"evt_{self.place.replace('-', '_')}"

    @property
    def raised_ms(self) -> int:
        """When it was raised, by the store's clock."""
        return int(self.place.partition("-")[0])


_encode = msgspec.json.Encoder().encode
_decode = stored(RaisedEvent, "raised alert")


def event_text(event: RaisedEvent) -> str:
    """An event as it lies in the store."""
    return _encode(event).decode()


class AlertQueue:
    """The alerts of one organisation."""

    def __init__(self, store: Store, layout: Layout) -> None:
        self._store = store
        self._claims = layout.shared("alert_claims")
        self._stream = layout.shared("alerts")
        self._mark = layout.shared("alerts_delivered")

    async def claim(self, amount: WatchedAmount, used: int, now_ms: int) -> ReachedThreshold | None:
        """Raise an alert unless it was raised before, by whomever."""
        reached = amount.reached(used)
        event = RaisedEvent(REACHED if reached.spend_alert is None else SPEND_ALERT, now_ms // 1000, reached)
        arguments: list[str | int] = ["", amount.claim, amount.ends_ms, event_text(event), MOST_ALERTS]
        place = await self._store.script("raise_alert", [self._claims, self._stream], arguments)
        return reached if place else None

    async def history(self, most: int) -> list[RaisedAlert]:
        """The latest alerts, newest first."""
        return _alerts(await self._store.command("XREVRANGE", self._stream, "+", "-", "COUNT", most))

    async def undelivered(self, most: int) -> list[RaisedAlert]:
        """The oldest that are still to be delivered, oldest first."""
        mark = await self._store.command("GET", self._mark)
        start = f"({mark.decode()}" if mark else "-"
        return _alerts(await self._store.command("XRANGE", self._stream, start, "+", "COUNT", most))

    async def mark_delivered(self, place: str) -> None:
        """Nothing up to this place is to be delivered any more."""
        await self._store.command("SET", self._mark, place)

    async def mark_all(self) -> None:
        """Nothing raised so far is to be delivered: there is no receiver."""
        for alert in await self.history(1):
            await self.mark_delivered(alert.place)


def _alerts(entries: list[tuple[bytes, list[bytes]]]) -> list[RaisedAlert]:
    return [RaisedAlert(place.decode(), event) for place, fields in entries for event in readable(_decode, fields[1:2])]
