"""What one worker has of the fleet: its knowledge, its governor, and the tasks that keep both in step with the others.

A task that breaks is a defect: it is told as one, and begun again, because requests may be waiting for what it brings.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.core.account import AccountRates
from gateway.core.catalog import Catalog
from gateway.fleet.exchange import Exchange
from gateway.fleet.governor import Governor
from gateway.fleet.knowledge import Knowledge
from gateway.fleet.length_exchange import LengthExchange
from gateway.store.contract import Store
from gateway.store.layout import Layout

AGAIN_SECONDS: Final = 1.0

_log = logging.getLogger("gateway.fleet")


class Membership:
    """One per worker, called `name` among all."""

    def __init__(self, store: Store, layout: Layout, name: str, rates: AccountRates, catalog: Catalog) -> None:
        self.knowledge = Knowledge(time.time)
        self.governor = Governor(store, layout, name, rates, catalog)
        self._runs: tuple[Callable[[], Awaitable[None]], ...] = (
            Exchange(store, layout, self.knowledge.board, self.knowledge.learn).run,
            LengthExchange(store, layout, self.knowledge.lengths).run,
            self.governor.run,
        )

    async def run(self) -> None:
        """Keep in step with the others until cancelled."""
        async with asyncio.TaskGroup() as group:
            for run in self._runs:
                group.create_task(_keep(run))


async def _keep(run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except Exception:  # noqa: BLE001 - whatever broke, the others must not be without it
            _log.critical("a task of the fleet broke and begins again", exc_info=True)
        await asyncio.sleep(AGAIN_SECONDS)
