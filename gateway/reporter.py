"""Brings a worker's gauges up to date: once a second from memory, and the limits now and then from the store.

It looks and tells; nothing waits for it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.config.settings import Settings
from gateway.core.catalog import Catalog
from gateway.core.eligibility import Learned
from gateway.core.errors import GatewayError, StoreAway
from gateway.core.pricing import worst_cost
from gateway.ledger.contract import HoldRequest
from gateway.ledger.service import StoreLedger
from gateway.metrics import BreakerState, LimitStanding, Metrics, ModelStanding, Standing
from gateway.organization.limits import LimitObject, read_limits_of_all
from gateway.organization.registry import Registry
from gateway.store.redis_store import RedisStore

_log = logging.getLogger("gateway.reporter")

REPORT_SECONDS: Final = 1.0
LIMIT_SECONDS: Final = 15.0


@dataclass(slots=True, frozen=True)
class Sources:
    """Where a worker's state is read from. `learned`, `in_flight`, `queued` and `is_open` are asked each time."""

    ledger: StoreLedger
    store: RedisStore
    registry: Registry
    learned: Callable[[], Learned]
    in_flight: Callable[[], int]
    queued: Callable[[], int]
    is_open: Callable[[], bool]


class Reporter:
    """One per worker. Only one worker of a gateway `reads_limits`: all would read the same."""

    def __init__(self, sources: Sources, metrics: Metrics, settings: Settings, *, reads_limits: bool) -> None:
        self.settings = settings
        self._sources = sources
        self._expected: Catalog | None = None
        self._metrics = metrics
        self._reads_limits = reads_limits

    async def run(self) -> None:
        """Until cancelled; the last report is made on the way out."""
        next_limits = 0.0
        try:
            while True:
                self.report()
                if self._reads_limits and self._sources.is_open() and time.monotonic() >= next_limits:
                    next_limits = time.monotonic() + LIMIT_SECONDS
                    await self._report_limits()
                await asyncio.sleep(REPORT_SECONDS)
        finally:
            self.report()

    def report(self) -> None:
        """Everything that is known without asking."""
        sources = self._sources
        if self._expected is not self.settings.catalog:
            self._expected = self.settings.catalog
            self._metrics.expect(self._expected.models)
        learned = sources.learned()
        live = sources.ledger.live.values()
        self._metrics.report(
            Standing(
                in_flight=sources.in_flight(),
                holds=len(live),
                held_nano=sum(_claim_nano(hold.request) for hold in live),
                spool_entries=sources.ledger.pending,
                lost=sources.ledger.lost,
                expired=sources.ledger.expired,
                admitted_without_store=sources.ledger.admitted_without_store,
                store_queue=sources.store.queued,
                queued=sources.queued(),
                is_store_connected=sources.is_open() and sources.store.is_connected,
                models=self._models(learned),
                stop=learned.stop.kind if learned.stop is not None and learned.stop.until > time.time() else "",
            )
        )

    def _models(self, learned: Learned) -> tuple[ModelStanding, ...]:
        now = time.time()
        return tuple(
            ModelStanding(
                model.id,
                _breaker_state(learned.resting.get(model.id), now),
                model.id in learned.retired,
                learned.windows.get(model.id, model.window_tokens),
            )
            for model in self.settings.catalog.models.values()
        )

    async def _report_limits(self) -> None:
        try:
            limits = await read_limits_of_all(self._sources.registry)
        except GatewayError as error:
            if not isinstance(error, StoreAway):  # that one has a gauge of its own
                _log.warning("the limits cannot be read for the metrics: %s", error.message)
            return
        self._metrics.books.show_limits(_limit_standing(limit) for limit in limits if limit.model is None)


def _breaker_state(until: float | None, now: float) -> BreakerState:
    if until is None:
        return "closed"
    return "open" if until > now else "probation"


def _claim_nano(request: HoldRequest) -> int:
    """What a request may cost at most."""
    claimed = worst_cost(request.price, request.prompt_tokens, request.max_tokens, request.choices)
    return request.spent_nano + claimed


def _limit_standing(limit: LimitObject) -> LimitStanding:
    taken = limit.used + limit.held if limit.kind == "concurrency" else limit.used
    project = limit.id if limit.scope == "project" else ""
    return LimitStanding(limit.scope, project, limit.kind, limit.window, taken / limit.limit if limit.limit else 1.0)
