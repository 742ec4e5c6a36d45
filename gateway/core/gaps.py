"""The waits between the events of one stream, as the client sees them: counted by length, none kept."""

from bisect import bisect_left
from typing import Final

GAP_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
"""Upper bounds in seconds."""


class Gaps:
    """One stream's. `counts` has a place per bound and one for what is longer than all; `total` is seconds."""

    __slots__ = ("_last", "counts", "total")

    def __init__(self, began: float) -> None:
        self._last = began
        self.counts = [0] * (len(GAP_BOUNDS) + 1)
        self.total = 0.0

    def note(self, now: float) -> None:
        """Something was sent."""
        gap = now - self._last
        self._last = now
        self.counts[bisect_left(GAP_BOUNDS, gap)] += 1
        self.total += gap
