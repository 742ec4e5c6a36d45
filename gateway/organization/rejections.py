"""Failed authentications at the admin API: counted all, told in the log at most every few seconds, stored never.

Whoever guesses keys could fill a log or a store; so neither grows with the guesses.
"""

import logging
import time
from collections.abc import Callable

_log = logging.getLogger("gateway.organization")

_QUIET_SECONDS = 10.0


def _uncounted() -> None:
    """Nobody counts."""


class Rejections:
    """What one worker refused. `count` is called for each."""

    def __init__(self, count: Callable[[], None] = _uncounted, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._untold = 0
        self._quiet_until = float("-inf")

    def note(self, address: str, path: str) -> None:
        """Somebody came without an admin key that is accepted."""
        self._count()
        self._untold += 1
        now = self._clock()
        if now < self._quiet_until:
            return
        many = f" ({self._untold} since the last such line)" if self._untold > 1 else ""
        _log.warning("admin authentication failed: %s from %s%s", path, address or "unknown", many)
        self._untold, self._quiet_until = 0, now + _QUIET_SECONDS
