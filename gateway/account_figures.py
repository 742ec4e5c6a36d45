"""Keeps the gauges of the account up to date: today's neurons and where they lead, the last reconciliation."""

import asyncio

from gateway.core.forecast import Forecast
from gateway.core.neurons import NANO, NeuronPrice
from gateway.ledger.burn import Burn, watch_burn
from gateway.ledger.reconciliation import Reconciliation, watch_reconciliation
from gateway.metrics import Metrics
from gateway.store.contract import Store
from gateway.store.layout import Layout


class AccountFigures:
    """One per worker. Only one worker of a gateway `warns` in the log."""

    def __init__(self, store: Store, layout: Layout, metrics: Metrics, price: NeuronPrice, *, warns: bool) -> None:
        self._store = store
        self._layout = layout
        self._books = metrics.books
        self._price = price
        self._warns = warns

    async def run(self) -> None:
        """Until cancelled."""
        store, layout, free = self._store, self._layout, self._price.free_per_day
        async with asyncio.TaskGroup() as group:
            group.create_task(watch_burn(store, layout, free, self._show_burn, warns=self._warns))
            group.create_task(watch_reconciliation(store, layout, self._show_reconciliation))

    def _show_burn(self, burn: Burn, ahead: Forecast) -> None:
        self._books.show_burn(burn.neurons_nano / NANO, self._price.free_per_day, self._price.usd_per_thousand)
        self._books.show_forecast(ahead.by_midnight_nano / NANO, ahead.exhausted_at)

    def _show_reconciliation(self, found: Reconciliation) -> None:
        self._books.show_reconciliation(found.day, found.ours_nano / NANO, found.theirs_nano / NANO)
