"""One worker's part in a rate that the whole account shares: permits in hand, and which were used within the window.

The account's rate is kept by an invariant: what all workers have used within the window and have in hand together is
never more than the limit. New permits come from where that sum is kept (`govern.lua`); this module only says how many
are wanted and spends them. A permit used is a request sent; it counts until it is older than the window.
"""

from collections import deque
from typing import Final

MARGIN_SECONDS: Final = 1.0  # a request may reach the upstream so much later than the one before it
BURST_SHARE: Final = 4  # a quarter of the limit may be used at once; the rest comes evenly
RESERVE_SHARE: Final = 100  # of the limit that an idle worker keeps in hand
_RECENT_SECONDS: Final = 1.0  # what was used in this time is wanted for the next


class Meter:
    """Permits for `limit` requests in any `seconds`. `now` is monotonic seconds."""

    def __init__(self, limit: int, seconds: float, margin: float = MARGIN_SECONDS) -> None:
        self.limit = limit
        self.window = seconds + margin
        self.stock = 0
        self.reserve = max(1, limit // RESERVE_SHARE)
        self.is_short = False  # more was wanted than could be given
        self.is_contended = False  # other workers lack permits
        self._allowance = 0
        self._uses: deque[float] = deque()

    @property
    def burst(self) -> int:
        """How many permits may be given at once after a quiet time."""
        return max(1, self.limit // BURST_SHARE)

    def used(self, now: float) -> int:
        """Permits used within the window."""
        while self._uses and self._uses[0] <= now - self.window:
            self._uses.popleft()
        return len(self._uses)

    def take(self, count: int, now: float) -> bool:
        """Use so many permits, or none. More than the limit count as the limit."""
        count = min(count, self.limit)
        if self.stock < count:
            return False
        self.stock -= count
        self._uses.extend([now] * count)
        return True

    def give_back(self, count: int) -> None:
        """So many were taken last and not used."""
        for _ in range(min(count, self.limit, len(self._uses))):
            self._uses.pop()
            self.stock += 1

    def wanted(self, now: float, waiting: int) -> int:
        """How many permits to have in hand: for those who wait, for as many as came lately, and a reserve.

        While other workers lack some, there is no reserve.
        """
        recent = 0
        for moment in reversed(self._uses):
            if moment <= now - _RECENT_SECONDS:
                break
            recent += 1
        return min(self.limit, waiting + recent + (0 if self.is_contended else self.reserve))

    def shed(self, wanted: int) -> int:
        """Let go of what is in hand beyond what is wanted; how many that are."""
        shed = max(0, self.stock - wanted)
        self.stock -= shed
        return shed

    def grant(self, gain: int, wanted: int, now: float, lacked: int = 0) -> None:
        """So many more (or less) than when they were asked for; meanwhile some may have been used.

        Other workers lack `lacked`.
        """
        self.is_contended = lacked > 0
        self.stock = max(0, self.stock + gain)
        self._allowance = self.stock + self.used(now)
        self.is_short = self.stock < wanted

    def carry_on(self, now: float) -> None:
        """Nobody can be asked: what was allowed last stays allowed in every window."""
        self.stock = max(self.stock, self._allowance - self.used(now))
