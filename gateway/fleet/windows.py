"""What answers teach about sizes: a window smaller than the catalogue says, and a message limit that does not hold.

A learned window is the number the upstream named itself. It is forgotten after a day: limits are raised, too.
"""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.core.answer import Failure
from gateway.core.catalog import Model

RELEARN_SECONDS: Final = 86_400.0
SMALLEST_WINDOW: Final = 512  # a smaller number is no window of a model somebody serves


class Windows:
    """One per worker. `clock` is seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, int] = {}
        self._unlimited: frozenset[str] = frozenset()
        self._forget_at: dict[str, float] = {}
        self._next = float("inf")

    @property
    def windows(self) -> Mapping[str, int]:
        """Learned windows in tokens, by model id."""
        return self._windows

    @property
    def unlimited(self) -> frozenset[str]:
        """Models that answered a message longer than their published limit."""
        return self._unlimited

    def refused(self, model: Model, failure: Failure) -> int | None:
        """The model said that a request was too long. The window learned from that, None where nothing is new."""
        limit = failure.limit_tokens
        if failure.kind != "too_long" or limit is None or not SMALLEST_WINDOW <= limit < model.window_tokens:
            return None
        is_new = self._windows.get(model.id) != limit
        self.adopt(model.id, limit, self._clock())
        return limit if is_new else None

    def adopt(self, model_id: str, tokens: int, at: float) -> None:
        """The window was learned at `at` (unix seconds), here or by another worker."""
        self._windows[model_id] = tokens
        self._forget_at[model_id] = at + RELEARN_SECONDS
        self._next = min(self._forget_at.values())

    def took_long_message(self, model_id: str) -> None:
        """The model answered a message longer than its published limit."""
        self._unlimited |= {model_id}

    def forget_old(self) -> None:
        """Drop what was learned a day ago."""
        now = self._clock()
        if now < self._next:
            return
        for model_id in [found for found, moment in self._forget_at.items() if moment <= now]:
            del self._forget_at[model_id], self._windows[model_id]
        self._next = min(self._forget_at.values(), default=float("inf"))
