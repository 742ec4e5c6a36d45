"""Figures gathered in plain Python and handed to prometheus-client once a second.

Its multiprocess values lie in mapped files, behind a lock: 0.7 µs for a counter, 2 for a histogram, and a request has
some twenty of them. Adding up here costs a fifth of that. A worker that is killed takes its last second with it; the
ledger, which loses nothing, is what counts money.
"""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client import Counter, Histogram


class Amount:
    """What a counter has gained since it was last handed over, in units of `unit`."""

    __slots__ = ("_counter", "_unit", "gained")

    def __init__(self, counter: Counter, unit: float = 1) -> None:
        self.gained = 0
        self._counter = counter
        self._unit = unit

    def hand_over(self) -> None:
        """Give the counter what was gained."""
        if self.gained:
            gained, self.gained = self.gained, 0
            self._counter.inc(gained * self._unit)


class Spread:
    """The values a histogram was shown since it was last handed over."""

    __slots__ = ("_bounds", "_counts", "_histogram", "_is_touched", "_sum")

    def __init__(self, histogram: Histogram, bounds: Sequence[float]) -> None:
        self._histogram = histogram
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._is_touched = False

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value
        self._is_touched = True

    def merge(self, counts: Sequence[int], total: float) -> None:
        """Count many values at once: so many per bucket, the last one being what is past all bounds."""
        for number, count in enumerate(counts):
            self._counts[number] += count
        self._sum += total
        self._is_touched = True

    def hand_over(self) -> None:
        """Give the histogram what was counted."""
        if not self._is_touched:
            return
        # There is no public way to add more than one value; these two are what `observe` itself adds to.
        for bucket, count in zip(self._histogram._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        self._histogram._sum.inc(self._sum)
        self._counts = [0] * len(self._counts)
        self._sum = 0.0
        self._is_touched = False
