"""Which models answer and which have been retired, learned from their own answers.

A date in the catalogue only decides the order of candidates; only the upstream's answer takes a model out, and only
after it was confirmed, because single false "deprecated" answers of live models have been seen.
"""

from collections.abc import Callable

RETEST_SECONDS = 86_400.0  # a retired model is tried again after a day
CONFIRMATIONS = 2  # consecutive "retired" answers that take a model out


class ModelHealth:
    """One per worker. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._retirements: dict[str, tuple[int, float]] = {}
        self._proven: frozenset[str] = frozenset()
        self._retired: frozenset[str] = frozenset()
        self._next_retest = float("inf")

    @property
    def proven(self) -> frozenset[str]:
        """Models that have answered and not been called retired since."""
        return self._proven

    @property
    def retired(self) -> frozenset[str]:
        """Models whose retirement is confirmed and not yet due for another test."""
        if self._clock() >= self._next_retest:
            self._rebuild()
        return self._retired

    def answered(self, model_id: str) -> None:
        """The model gave an answer."""
        if model_id not in self._proven:
            self._proven |= {model_id}
        if self._retirements.pop(model_id, None):
            self._rebuild()

    def called_retired(self, model_id: str) -> None:
        """The upstream said that the model is retired (410 / 5028)."""
        count, _ = self._retirements.get(model_id, (0, 0.0))
        self._retirements[model_id] = (count + 1, self._clock())
        self._proven -= {model_id}
        self._rebuild()

    def _rebuild(self) -> None:
        now = self._clock()
        due = {
            model_id: since + RETEST_SECONDS
            for model_id, (count, since) in self._retirements.items()
            if count >= CONFIRMATIONS and since + RETEST_SECONDS > now
        }
        self._retired = frozenset(due)
        self._next_retest = min(due.values(), default=float("inf"))
