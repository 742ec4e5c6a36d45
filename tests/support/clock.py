"""A clock that stands still until the test moves it; and a day that does not end in the middle of a test."""

import time

_DAY = 86_400


class Clock:
    """Seconds, from a fixed day on."""

    def __init__(self, now: float = 1_760_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def begin_within_day(seconds: float) -> None:
    """Wait for the next UTC day where this one ends within so many seconds: what is of today then stays so."""
    left = _DAY - time.time() % _DAY
    if left < seconds:
        time.sleep(left)
