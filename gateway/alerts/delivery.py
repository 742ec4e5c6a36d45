"""Delivers raised alerts to the configured webhook, by the worker that watches, until the receiver says yes.

At least once: a receiver may see an alert twice (its id is the same) when a worker dies between an answer and the mark
in the store. What was not accepted is tried again, ever more rarely, for a day. The URL comes from the configuration
alone; redirects are not followed; nothing of an answer but its status is looked at.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gateway.alerts.queue import TEST, AlertQueue, RaisedAlert
from gateway.config.settings import AlertSettings
from gateway.core.errors import StoreAway
from gateway.core.signature import signed_headers

ROUND_SECONDS: Final = 1.0
_AT_ONCE = 50  # undelivered alerts looked at in a round
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 900.0  # between two tries of one alert, doubled up to the longest
_GIVE_UP_SECONDS = 86_400

_log = logging.getLogger("gateway.alerts")
_encode = msgspec.json.Encoder().encode

Post = Callable[[str, dict[str, str], bytes], Awaitable[int]]
"""POST a body to a URL and return the answer's status. Raises OSError where there was no answer."""


@dataclass(slots=True)
class _Tries:
    count: int = 0
    next_at: float = 0.0
    is_over: bool = False


class Delivery:
    """One worker's part. `is_mine` tells whether it is its turn, `report` counts outcomes, `clock` is unix seconds."""

    def __init__(
        self,
        queue: AlertQueue,
        settings: Callable[[], AlertSettings],
        post: Post,
        is_mine: Callable[[], bool],
        report: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._post = post
        self._is_mine = is_mine
        self._report = report
        self._clock = clock
        self._tries: dict[str, _Tries] = {}

    async def run(self) -> None:
        """Deliver again and again, until cancelled."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                if self._is_mine():
                    await self.round()
            except StoreAway as error:
                _log.info("alerts wait for the store: %s", error.message)
            except (ValueError, msgspec.MsgspecError):
                _log.exception("alerts could not be delivered")

    async def round(self) -> None:
        """Try everything that is due."""
        settings = self._settings()
        if not settings.webhook_url:
            await self._queue.mark_all()
            return
        waiting = await self._queue.undelivered(_AT_ONCE)
        known = self._tries
        self._tries = {alert.place: known.get(alert.place) or _Tries() for alert in waiting}
        mark = ""
        is_gapless = True
        for alert in waiting:
            tries = self._tries[alert.place]
            if not tries.is_over and tries.next_at <= self._clock():
                await self._try(alert, tries, settings)
            is_gapless = is_gapless and tries.is_over
            mark = alert.place if is_gapless else mark
        if mark:
            await self._queue.mark_delivered(mark)

    async def _try(self, alert: RaisedAlert, tries: _Tries, settings: AlertSettings) -> None:
        now = self._clock()
        body = payload(alert)
        headers = signed_headers(settings.webhook_secret, alert.id, int(now), body)
        try:
            status = await self._post(settings.webhook_url, headers, body)
            trouble = "" if 200 <= status < 300 else f"it answered {status}"
        except OSError as error:
            trouble = f"{type(error).__name__}: {error}"
        if not trouble:
            tries.is_over = True
            self._report("delivered")
            return
        tries.count += 1
        tries.next_at = now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (tries.count - 1))
        self._report("failed")
        if now - alert.raised_ms / 1000 > _GIVE_UP_SECONDS:
            tries.is_over = True
            self._report("dropped")
            _log.error("alert %s was not accepted by the webhook for a day and is given up: %s", alert.id, trouble)
        elif tries.count in (1, 5) or tries.count % 20 == 0:
            _log.warning("alert %s was not accepted by the webhook (%d tries): %s", alert.id, tries.count, trouble)


def payload(alert: RaisedAlert) -> bytes:
    """What the receiver gets: an event as OpenAI's webhooks are."""
    reached = alert.event.data
    data: dict[str, Any] = {"message": "A test of the webhook."}  # members of several types
    if alert.event.type != TEST and reached is not None:
        data = {"message": reached.sentence(), **msgspec.structs.asdict(reached)}
    event = {"id": alert.id, "object": "event", "created_at": alert.event.created, "type": alert.event.type}
    return _encode({**event, "data": data})
