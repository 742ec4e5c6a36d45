"""Everything one worker has learned from answers, in one place: told by dispatch, read by whoever plans.

It keeps the log informed about what changes and writes it on the board from which the other workers are told; what
they have found out comes in by `learn`. It decides nothing about a single request.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from gateway.core.answer import Failure
from gateway.core.eligibility import Candidate, Learned, Sample, Speed, Stop
from gateway.fleet.account import stop_after
from gateway.fleet.breakers import Breakers
from gateway.fleet.health import RETEST_SECONDS, ModelHealth
from gateway.fleet.lengths import OutputLengths
from gateway.fleet.notes import ACCOUNT, Board, Fact, Halt, Health, LongMessages, Note, Pace, Rest, Window
from gateway.fleet.retry_budget import RetryBudget
from gateway.fleet.speeds import Speeds
from gateway.fleet.windows import RELEARN_SECONDS, Windows

PACE_SECONDS: Final = 10.0  # how often at most a model's speed is told to the others
_log = logging.getLogger("gateway.fleet")
_NOTHING: Mapping[str, int] = MappingProxyType({})


class Knowledge:
    """One per worker. `clock` is unix seconds; `board` holds what all workers know, `lengths` how long answers are."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.board = Board()
        self.lengths = OutputLengths()
        self._clock = clock
        self._health = ModelHealth(clock)
        self._breakers = Breakers(clock)
        self._windows = Windows(clock)
        self._speeds = Speeds()
        self._retries = RetryBudget(clock)
        self._stop: Stop | None = None
        self._paced: dict[str, float] = {}
        self._learned = self._collect()

    def learned(self) -> Learned:
        """What is known now about models and account."""
        self._windows.forget_old()
        if self._learned.retired is not self._health.retired:  # a model is due for another test
            self._learned = self._collect()
        return self._learned

    def outputs(self, key_id: str) -> Mapping[str, int]:
        """Expected output tokens of a key's answers, by route."""
        return self.lengths.of(key_id) or _NOTHING

    def attempting(self, model_id: str) -> None:
        """The model is about to be asked."""
        if self._breakers.attempting(model_id):
            self._note_rest(model_id)

    def answered(self, candidate: Candidate) -> None:
        """The candidate answered."""
        model_id = candidate.model.id
        self._retries.earn()
        if self._breakers.answered(model_id):
            _log.info("%s answers again", model_id)
            self._note(model_id, Rest(0.0, 0))
        if model_id not in self._learned.proven:
            if model_id in self._learned.retired:
                _log.warning("%s was called retired and answers again", model_id)
            self._health.answered(model_id)
            self._note(model_id, Health(0, 0.0, is_proven=True))
            self._learned = self._collect()
        if candidate.doubt == "content_chars":
            self._windows.took_long_message(model_id)
            self._note(model_id, LongMessages())
            self._learned = self._collect()

    def failed(self, candidate: Candidate, failure: Failure) -> None:
        """The candidate did not answer."""
        model_id = candidate.model.id
        stop = stop_after(failure, self._clock())
        if stop is not None:
            _log.warning("the account is not asked for %.0f s: %s", stop.until - self._clock(), failure.message)
            self._stop = stop
            self._note(ACCOUNT, Halt(stop.kind, stop.until))
        if failure.kind == "retired":
            self._health.called_retired(model_id)
            self._note(model_id, Health(*self._health.answers(model_id), is_proven=False))
            if model_id in self._health.retired:
                _log.warning("%s is retired, its successor is %s", model_id, candidate.model.successor or "not known")
        window = self._windows.refused(candidate.model, failure)
        if window is not None:
            _log.warning("%s has a window of %d tokens, not %d", model_id, window, candidate.model.window_tokens)
            self._note(model_id, Window(window))
        rest = self._breakers.failed(model_id, failure.kind)
        if rest is not None:
            _log.warning("%s rests for %.0f s: %s", model_id, rest, failure.message)
            self._note_rest(model_id)
        self._learned = self._collect()

    def take_retry(self) -> bool:
        """Whether there may be another attempt now; it is counted."""
        return self._retries.take()

    def settled(self, sample: Sample) -> None:
        """An answer was complete: how long it was and how fast it came."""
        now, model_id = self._clock(), sample.model_id
        self._speeds.observe(sample, now)
        self.lengths.observe(sample)
        if now - self._paced.get(model_id, 0.0) >= PACE_SECONDS and model_id in self._speeds.speeds:
            self._paced[model_id] = now
            speed = self._speeds.speeds[model_id]
            pace = Pace(speed.first_token_seconds, speed.tokens_per_second)
            self.board.write(Note(model_id, speed.measured_at, pace), is_urgent=False)

    def learn(self, notes: Sequence[Note]) -> None:
        """What other workers have found out, newer than what is known here."""
        for note in notes:
            self._adopt(note.subject, note.fact, note.at)
        if notes:
            self._learned = self._collect()

    def _adopt(self, model_id: str, fact: Fact, at: float) -> None:
        now = self._clock()
        match fact:
            case Rest():
                self._breakers.adopt(model_id, fact.until, fact.rests)
                if fact.until > now:
                    _log.info("%s rests for %.0f s: another worker's word", model_id, fact.until - now)
            case Health() if at > now - RETEST_SECONDS:
                self._health.adopt(model_id, fact.retired_answers, fact.since)
                if model_id in self._health.retired:
                    _log.warning("%s is retired: another worker's word", model_id)
            case Window() if at > now - RELEARN_SECONDS:
                self._windows.adopt(model_id, fact.tokens, at)
                _log.warning("%s has a window of %d tokens: another worker's word", model_id, fact.tokens)
            case LongMessages():
                self._windows.took_long_message(model_id)
            case Pace():
                self._speeds.adopt(model_id, Speed(fact.first_token_seconds, fact.tokens_per_second, at))
            case Halt() if fact.until > now:
                _log.warning("the account is not asked for %.0f s: another worker's word", fact.until - now)
                self._stop = Stop(fact.kind, fact.until)

    def _note(self, subject: str, fact: Fact) -> None:
        self.board.write(Note(subject, self._clock(), fact))

    def _note_rest(self, model_id: str) -> None:
        self._note(model_id, Rest(self._breakers.resting[model_id], self._breakers.rests(model_id)))

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
