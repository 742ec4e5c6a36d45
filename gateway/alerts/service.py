"""A worker's part in alerts, put together: the watch over budgets and the delivery of what it raised."""

import asyncio
import contextlib
from collections.abc import Callable

from gateway.alerts.delivery import Delivery
from gateway.alerts.exhaustion import Exhaustion
from gateway.alerts.queue import AlertQueue
from gateway.alerts.watch import ROUND_SECONDS, AlertWatch
from gateway.alerts.webhook import post
from gateway.config.settings import AlertSettings
from gateway.core.alerts import ReachedThreshold
from gateway.core.errors import StoreAway
from gateway.metrics.alerts import AlertMetrics
from gateway.store.contract import Store
from gateway.store.layout import Layout


class Alerts:
    """Watches and delivers while it holds the lease, tells of exhausted budgets always. `settings` are those in force,
    `name` tells the worker.
    """

    def __init__(
        self,
        places: tuple[Store, Layout],
        settings: Callable[[], AlertSettings],
        metrics: AlertMetrics,
        exhaustion: Exhaustion,
        name: str,
    ) -> None:
        store, layout = places
        self._metrics = metrics
        self._exhaustion = exhaustion
        queue = AlertQueue(store, layout)
        self._watch = AlertWatch(store, layout, lambda: settings().thresholds, name, self._count)
        self._delivery = Delivery(queue, settings, post, lambda: self._watch.is_mine, metrics.delivery)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run())
            tasks.create_task(self._delivery.run())
            tasks.create_task(self._tell_exhausted())

    async def _tell_exhausted(self) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            with contextlib.suppress(StoreAway):  # the next refusal says it again
                await self._watch.tell_exhausted(self._exhaustion.take())

    def _count(self, reached: ReachedThreshold) -> None:
        self._metrics.raised(reached.scope, reached.kind if reached.spend_alert is None else "spend_alert")
