"""The account's limits: requests per minute and model, API requests per five minutes, neurons per day, busy hardware.

The counting part is given the time and decides; `Slots` is the one that waits. Bounded by the limits themselves.
"""

import asyncio
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime

from gateway.simulator.errors import Refusal, refusal
from gateway.simulator.options import Limits

MINUTE = 60.0
FIVE_MINUTES = 300.0


def utc_day(now: float) -> str:
    """The UTC date of a moment, on which the daily allowance hangs."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


class _Window:
    """Moments of the last so many seconds, never more than the limit."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._moments: deque[float] = deque()

    def take(self, now: float) -> bool:
        while self._moments and self._moments[0] <= now - self._seconds:
            self._moments.popleft()
        if len(self._moments) >= self._limit:
            return False
        self._moments.append(now)
        return True


class Allowance:
    """Decides whether the account may make one more request."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._api = _Window(limits.per_five_minutes, FIVE_MINUTES) if limits.per_five_minutes is not None else None
        self._models: dict[str, _Window] = {}
        self._blocked_until = 0.0

    def api_request(self, now: float) -> Refusal | None:
        """Any request to the API: past the limit everything is blocked for five minutes."""
        if self._api is None:
            return None
        if now < self._blocked_until:
            return refusal(971)
        if self._api.take(now):
            return None
        self._blocked_until = now + FIVE_MINUTES
        return refusal(971)

    def model_request(self, model: str, now: float, neurons_today: float) -> Refusal | None:
        """A valid request to a known model."""
        if self._limits.daily_neurons is not None and neurons_today >= self._limits.daily_neurons:
            return refusal(4006)
        if self._limits.per_minute is None:
            return None
        window = self._models.setdefault(model, _Window(self._limits.per_minute, MINUTE))
        return None if window.take(now) else refusal(3040)


class Slots:
    """The hardware: so many calls at once, the others wait in line or are turned away."""

    def __init__(self, limits: Limits) -> None:
        self._free = limits.capacity
        self._queue_length = limits.queue_length
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_busy(self) -> bool:
        """Whether a new call would have to wait."""
        return self._free is not None and self._free <= 0

    @property
    def is_full(self) -> bool:
        """Whether even the line is full."""
        return self.is_busy and len(self._waiting) >= self._queue_length

    async def take(self) -> None:
        """Wait for a slot. Cancelled, it leaves the line and gives back what it was given."""
        if self._free is None:
            return
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._waiting.remove(turn)
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """Hand the slot to the next in line."""
        if self._free is None:
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
