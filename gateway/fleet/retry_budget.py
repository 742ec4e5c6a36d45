"""A budget for retries, so that a bad hour of the upstream does not multiply the load on it.

Every answered request earns a fraction of a retry, time earns a little more, and each retry spends one. When nothing
is left, the first failure of a request is its last.
"""

from collections.abc import Callable
from typing import Final

MOST: Final = 100.0  # retries that can be saved up: what a burst may use
EARNED_PER_ANSWER: Final = 0.2  # so many retries per answered request in the long run
EARNED_PER_SECOND: Final = 1.0  # so that a quiet gateway may retry, too


class RetryBudget:
    """One per worker. `clock` is seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._saved = MOST
        self._since = clock()

    def earn(self) -> None:
        """A request was answered."""
        if self._saved < MOST:
            self._saved += EARNED_PER_ANSWER

    def take(self) -> bool:
        """Spend one retry; False where none is left."""
        now = self._clock()
        self._saved = min(MOST, self._saved + max(0.0, now - self._since) * EARNED_PER_SECOND)
        self._since = now
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
