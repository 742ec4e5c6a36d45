"""Circuit breakers: a model that keeps failing rests, is tried with one request, and comes back or rests longer.

closed → (failures in a row) → open → (its rest is over) → probation → closed after an answer, open after a failure.
One failure never opens anything; any answer closes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.answer import FailureKind

FAILURES: Final = 5  # in a row, that open a breaker
FIRST_REST: Final = 2.0  # seconds; doubled for every further failure. Capacity comes back within 0.5 to 8 s
LONGEST_REST: Final = 60.0
TRIAL_SECONDS: Final = 30.0  # how long a trial keeps others away, if it never ends

State = Literal["closed", "open", "probation"]

COUNTED: Final[frozenset[FailureKind]] = frozenset(
    ("connect", "first_byte_timeout", "capacity", "server_error", "malformed", "cut")
)
"""Failures that say something about the model's health; the others are about the request or the account."""


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    rests: int = 0  # since the last answer
    since: float = 0.0
    until: float = 0.0
    is_on_trial: bool = False


class Breakers:
    """One breaker per model. `clock` is seconds; a clock that jumps back ends a rest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._breakers: dict[str, _Breaker] = {}
        self._resting: dict[str, float] = {}

    @property
    def resting(self) -> Mapping[str, float]:
        """Models that are open or were, until when. A moment that has passed means probation."""
        return self._resting

    def state(self, model_id: str) -> State:
        """Where the model's breaker stands."""
        breaker = self._breakers.get(model_id)
        if breaker is None or not breaker.rests:
            return "closed"
        return "open" if breaker.since <= self._clock() < breaker.until else "probation"

    def rests(self, model_id: str) -> int:
        """How many times in a row the model rests or has rested; 0 where its breaker is closed."""
        breaker = self._breakers.get(model_id)
        return 0 if breaker is None else breaker.rests

    def attempting(self, model_id: str) -> bool:
        """The model is about to be asked. On probation that is the trial: until it ends, nobody else goes there."""
        is_trial = model_id in self._resting and self.state(model_id) == "probation"
        if is_trial:
            self._breakers[model_id].is_on_trial = True
            self._rest(model_id, self._breakers[model_id], TRIAL_SECONDS)
        return is_trial

    def adopt(self, model_id: str, until: float, rests: int) -> None:
        """Another worker's word: the model rests until then, for the so many-th time; 0: it answers again."""
        self._breakers.pop(model_id, None)
        self._resting.pop(model_id, None)
        if rests:
            self._breakers[model_id] = _Breaker(rests=rests, since=min(self._clock(), until), until=until)
            self._resting[model_id] = until

    def answered(self, model_id: str) -> bool:
        """The model gave an answer; whether that closed its breaker."""
        breaker = self._breakers.pop(model_id, None)
        return breaker is not None and self._resting.pop(model_id, None) is not None

    def failed(self, model_id: str, kind: FailureKind) -> float | None:
        """An attempt failed. Returns how many seconds the model rests now, None where it does not."""
        if kind not in COUNTED:
            return None
        breaker = self._breakers.setdefault(model_id, _Breaker())
        breaker.failures += 1
        if not breaker.rests and breaker.failures < FAILURES:
            return None
        if breaker.rests and not breaker.is_on_trial and self.state(model_id) == "open":
            return None  # it was under way when the breaker opened, and says nothing new
        seconds = min(LONGEST_REST, FIRST_REST * 2.0 ** min(breaker.rests, 10))
        breaker.rests += 1
        breaker.is_on_trial = False
        self._rest(model_id, breaker, seconds)
        return seconds

    def _rest(self, model_id: str, breaker: _Breaker, seconds: float) -> None:
        breaker.since = self._clock()
        breaker.until = breaker.since + seconds
        self._resting[model_id] = breaker.until
