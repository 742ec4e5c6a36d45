"""Which models answer and which have been retired, learned from their own answers.

A date in the catalogue only decides the order of candidates; only the upstream's answer takes a model out, and only
after it was confirmed, because single false "deprecated" answers of live models have been seen.
"""

from collections.abc import Callable, Mapping

RETEST_SECONDS = 86_400.0  # a retired model is tried again after a day
CONFIRMATIONS = 2  # consecutive "retired" answers that take a model out


class ModelHealth:
    """One per worker. `clock` is unix seconds: what is known here is told to other workers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._retirements: dict[str, tuple[int, float]] = {}
        self._proven: frozenset[str] = frozenset()
        self._retired: Mapping[str, float] = {}
        self._next_retest = float("inf")

    @property
    def proven(self) -> frozenset[str]:
        """Models that have answered and not been called retired since."""
        return self._proven

    @property
    def retired(self) -> Mapping[str, float]:
        """Models whose retirement is confirmed and not yet due for another test, and since when (unix seconds)."""
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

    def answers(self, model_id: str) -> tuple[int, float]:
        """How many answers in a row called the model retired, and when the latest came."""
        return self._retirements.get(model_id, (0, 0.0))

    def adopt(self, model_id: str, retired_answers: int, since: float) -> None:
        """Another worker's word: so many answers in a row, the latest at `since`, or 0 because the model answers."""
        self._retirements.pop(model_id, None)
        self._proven -= {model_id}
        if retired_answers:
            self._retirements[model_id] = (retired_answers, since)
        else:
            self._proven |= {model_id}
        self._rebuild()

    def _rebuild(self) -> None:
        now = self._clock()
        self._retired = {
            model_id: since
            for model_id, (count, since) in self._retirements.items()
            if count >= CONFIRMATIONS and since + RETEST_SECONDS > now
        }
        self._next_retest = min(self._retired.values(), default=float("inf")) + RETEST_SECONDS
