"""Keeps to what the account allows: a request that only the account's rates stand in the way of waits its turn.

It waits before anything is held or sent, in its worker's queue, by the weight of its project, for a bounded time among
a bounded number. Permits are shared with all other workers through the store, by a task: in the way of a request there
is a look at a number. While the store is away each worker keeps to what it was allowed last.
"""

import asyncio
import contextlib
import logging
import math
import time
from dataclasses import dataclass
from typing import Final

from gateway.core.account import MINUTE, AccountRates
from gateway.core.catalog import Catalog
from gateway.core.errors import RateLimited, StoreAway
from gateway.core.fair_queue import FairQueue, Waiting
from gateway.core.meter import Meter
from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout

SHARE_SECONDS: Final = 1.0  # how often permits are asked for while nobody waits
URGENT_SECONDS: Final = 0.05  # and while somebody does
API: Final = "api"  # the meter of all calls

_log = logging.getLogger("gateway.fleet")


@dataclass(slots=True, frozen=True, eq=False)
class Turn:
    """Who waits, for a call of which model. `granted` is done when the permits have been taken."""

    model_id: str
    calls: int
    granted: asyncio.Future[None]


class Governor:
    """One per worker, called `name` among all. `run` is the task that shares permits.

    A `minute` is shorter in tests.
    """

    def __init__(
        self,
        store: Store,
        layout: Layout,
        name: str,
        rates: AccountRates,
        catalog: Catalog,
        *,
        minute: float = MINUTE,
    ) -> None:
        self._store = store
        self._layout = layout
        self._name = name
        self._clock = time.monotonic
        self._minute = minute
        self._meters: dict[str, Meter] = {}
        self._queue: FairQueue[Turn] = FairQueue()
        self._urgent = asyncio.Event()
        self.adopt(rates, catalog)

    def adopt(self, rates: AccountRates, catalog: Catalog) -> None:
        """Keep to these from now on. What was used of a limit that stays is remembered."""
        self._rates = rates
        wanted = {
            model.id: (model.requests_per_minute or rates.requests_per_minute, self._minute)
            for model in catalog.models.values()
        }
        wanted[API] = (rates.api_requests_per_five_minutes, 5 * self._minute)
        before = self._meters
        self._meters = {}
        for name, (limit, seconds) in wanted.items():
            if limit is not None:
                known = before.get(name)
                self._meters[name] = known if known is not None and known.limit == limit else Meter(limit, seconds)
        self._urgent.set()

    @property
    def queued(self) -> int:
        """Requests that wait now."""
        return len(self._queue)

    def full(self) -> frozenset[str]:
        """Models that cannot be asked at once: whoever can go elsewhere need not wait."""
        if not self._meters:
            return frozenset()
        return frozenset(name for name, meter in self._meters.items() if meter.is_short and meter.stock < 1)

    async def turn(self, model_id: str, project: str, weight: int, calls: int, deadline: float) -> float:
        """Take permits for so many calls of the model, or wait for them. Returns the seconds waited.

        Raises RateLimited where too many wait, or it took too long; `deadline` is monotonic seconds.
        """
        if model_id not in self._meters and API not in self._meters:
            return 0.0
        is_awaited = any(API in self._meters or waiting.item.model_id == model_id for waiting in self._queue)
        if not is_awaited and self._take(model_id, calls):
            return 0.0
        if self._queue.length(project) >= self._rates.queue_length:
            raise self._refusal(model_id, "and as many requests as may wait are waiting")
        started = self._clock()
        turn = Turn(model_id, calls, asyncio.get_running_loop().create_future())
        waiting = Waiting(project, weight, calls, turn)
        self._queue.join(waiting)
        self._urgent.set()
        try:
            async with asyncio.timeout(max(0.0, min(self._rates.queue_seconds, deadline - started))):
                await turn.granted
        except BaseException as error:
            self._queue.leave(waiting)
            if turn.granted.done() and not turn.granted.cancelled():
                self.give_back(model_id, calls)
            if isinstance(error, TimeoutError):
                raise self._refusal(model_id, "and its turn did not come in time") from error
            raise
        return self._clock() - started

    def give_back(self, model_id: str, calls: int) -> None:
        """The permits of a turn were not used."""
        self._return(model_id, calls)
        self._let_in()

    async def run(self) -> None:
        """Share permits with all other workers until cancelled."""
        while True:
            is_away = False
            try:
                await self.share()
            except StoreAway:
                is_away = True
                for meter in self._meters.values():
                    meter.carry_on(self._clock())
            self._let_in()
            await self._pause(is_away=is_away)

    async def share(self) -> None:
        """Ask for the permits wanted now, give back what is not, in one round trip. Raises StoreAway."""
        self._urgent.clear()
        meters = list(self._meters.items())
        if not meters:
            return
        wanted = [self._wanted(name, meter) for name, meter in meters]
        steps = [self._step(name, meter, want) for (name, meter), want in zip(meters, wanted, strict=True)]
        replies = await self._store.pipeline(steps)
        for (name, meter), want, (gain, lacked) in zip(meters, wanted, replies, strict=True):
            meter.grant(gain, want, self._clock(), lacked)
            if meter.is_contended and meter.stock > self._wanted(name, meter):  # others need what lies here
                self._urgent.set()

    def _wanted(self, name: str, meter: Meter) -> int:
        awaited = sum(each.size for each in self._queue if name in (API, each.item.model_id))
        return meter.wanted(self._clock(), awaited)

    def _step(self, name: str, meter: Meter, wanted: int) -> tuple[Argument, ...]:
        shed = meter.shed(wanted)
        arguments: list[Argument] = [self._name, meter.limit, math.ceil(meter.window * 1000), meter.burst]
        arguments += [meter.used(self._clock()), meter.stock, wanted, shed]
        return tuple(self._store.step("govern", [self._layout.shared("govern", name)], arguments))

    def _return(self, model_id: str, calls: int) -> None:
        for name in (model_id, API):
            if name in self._meters:
                self._meters[name].give_back(calls)

    def _take(self, model_id: str, calls: int) -> bool:
        """Both permits or none."""
        now = self._clock()
        taken: list[Meter] = []
        for name in (model_id, API):
            meter = self._meters.get(name)
            if meter is None:
                continue
            if not meter.take(calls, now):
                for each in taken:
                    each.give_back(calls)
                return False
            taken.append(meter)
            if meter.stock < meter.reserve:
                self._urgent.set()
        return True

    def _let_in(self) -> None:
        """Everybody whose turn it is. Whoever wants more permits than there are keeps others from taking those."""
        blocked: set[str] = set()

        def may(turn: Turn) -> bool:
            if blocked & {turn.model_id, API}:
                return False
            is_taken = self._take(turn.model_id, turn.calls)
            if not is_taken:
                api = self._meters.get(API)
                blocked.add(API if api is not None and api.stock < turn.calls else turn.model_id)
            return is_taken

        while waiting := self._queue.next(may):
            if waiting.item.granted.done():  # gone, and about to leave the queue
                self._return(waiting.item.model_id, waiting.item.calls)
            else:
                waiting.item.granted.set_result(None)

    async def _pause(self, *, is_away: bool) -> None:
        """Until permits are wanted; never so short that the store is asked without end."""
        await asyncio.sleep(URGENT_SECONDS if len(self._queue) or is_away else URGENT_SECONDS / 5)
        if len(self._queue) or is_away:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHARE_SECONDS):
                await self._urgent.wait()

    def _refusal(self, model_id: str, why: str) -> RateLimited:
        names = [name for name in (API, model_id) if name in self._meters]
        name = next((name for name in names if self._meters[name].stock < 1), names[-1])
        limit, window = self._meters[name].limit, "five minutes" if name == API else "minute"
        what = "requests" if name == API else f"requests to {model_id}"
        return RateLimited(
            f"The Cloudflare account allows {limit} {what} per {window}, {why}.",
            retry_after=max(1.0, self._rates.queue_seconds / 2),
            details={"scope": "account", "kind": "requests", "window": window, "limit": limit},
        )
