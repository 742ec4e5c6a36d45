"""Everything one worker has learned from answers, in one place: told by dispatch, read by whoever plans.

It keeps the log informed about what changes; it decides nothing about a single request.
"""

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.core.answer import Failure
from gateway.core.eligibility import Candidate, Learned, Sample, Stop
from gateway.fleet.account import stop_after
from gateway.fleet.breakers import Breakers
from gateway.fleet.health import ModelHealth
from gateway.fleet.retry_budget import RetryBudget
from gateway.fleet.speeds import OutputLengths, Speeds
from gateway.fleet.windows import Windows

_log = logging.getLogger("gateway.fleet")
_NOTHING: Mapping[str, int] = MappingProxyType({})


class Knowledge:
    """One per worker. `clock` is unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._health = ModelHealth(clock)
        self._breakers = Breakers(clock)
        self._windows = Windows(clock)
        self._speeds = Speeds()
        self._outputs = OutputLengths()
        self._retries = RetryBudget(clock)
        self._stop: Stop | None = None
        self._learned = self._collect()

    def learned(self) -> Learned:
        """What is known now about models and account."""
        self._windows.forget_old()
        if self._learned.retired is not self._health.retired:  # a model is due for another test
            self._learned = self._collect()
        return self._learned

    def outputs(self, key_id: str) -> Mapping[str, int]:
        """Expected output tokens of a key's answers, by route."""
        return self._outputs.of(key_id) or _NOTHING

    def attempting(self, model_id: str) -> None:
        """The model is about to be asked."""
        self._breakers.attempting(model_id)

    def answered(self, candidate: Candidate) -> None:
        """The candidate answered."""
        model_id = candidate.model.id
        self._retries.earn()
        if self._breakers.answered(model_id):
            _log.info("%s answers again", model_id)
        if model_id not in self._learned.proven:
            if model_id in self._learned.retired:
                _log.warning("%s was called retired and answers again", model_id)
            self._health.answered(model_id)
            self._learned = self._collect()
        if candidate.doubt == "content_chars":
            self._windows.took_long_message(model_id)
            self._learned = self._collect()

    def failed(self, candidate: Candidate, failure: Failure) -> None:
        """The candidate did not answer."""
        model_id = candidate.model.id
        stop = stop_after(failure, self._clock())
        if stop is not None:
            _log.warning("the account is not asked for %.0f s: %s", stop.until - self._clock(), failure.message)
            self._stop = stop
        if failure.kind == "retired":
            self._health.called_retired(model_id)
            if model_id in self._health.retired:
                _log.warning("%s is retired, its successor is %s", model_id, candidate.model.successor or "not known")
        window = self._windows.refused(candidate.model, failure)
        if window is not None:
            _log.warning("%s has a window of %d tokens, not %d", model_id, window, candidate.window_tokens)
        rest = self._breakers.failed(model_id, failure.kind)
        if rest is not None:
            _log.warning("%s rests for %.0f s: %s", model_id, rest, failure.message)
        self._learned = self._collect()

    def take_retry(self) -> bool:
        """Whether there may be another attempt now; it is counted."""
        return self._retries.take()

    def settled(self, sample: Sample) -> None:
        """An answer was complete: how long it was and how fast it came."""
        self._speeds.observe(sample, self._clock())
        self._outputs.observe(sample)

    def _collect(self) -> Learned:
        return Learned(
            self._health.retired,
            self._health.proven,
            self._breakers.resting,
            self._windows.windows,
            self._windows.unlimited,
            self._speeds.speeds,
            self._stop,
        )
