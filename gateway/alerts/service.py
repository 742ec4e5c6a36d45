"""A worker's part in alerts, put together: the watch over budgets and the delivery of what it raised."""

import asyncio
from collections.abc import Callable

from gateway.alerts.delivery import Delivery
from gateway.alerts.queue import AlertQueue
from gateway.alerts.watch import AlertWatch
from gateway.alerts.webhook import post
from gateway.config.settings import AlertSettings
from gateway.core.alerts import ReachedThreshold
from gateway.metrics.alerts import AlertMetrics
from gateway.store.contract import Store
from gateway.store.layout import Layout


class Alerts:
    """Watches and delivers while it holds the lease. `settings` are those in force, `name` tells the worker."""

    def __init__(
        self, store: Store, layout: Layout, settings: Callable[[], AlertSettings], metrics: AlertMetrics, name: str
    ) -> None:
        self._metrics = metrics
        queue = AlertQueue(store, layout)
        self._watch = AlertWatch(store, layout, lambda: settings().thresholds, name, self._count)
        self._delivery = Delivery(queue, settings, post, lambda: self._watch.is_mine, metrics.delivery)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run())
            tasks.create_task(self._delivery.run())

    def _count(self, reached: ReachedThreshold) -> None:
        self._metrics.raised(reached.scope, reached.kind if reached.spend_alert is None else "spend_alert")
