"""How fast each model answers, as moving averages over its latest answers.

It only orders candidates: a wrong figure costs a little time, never an answer.
"""

from collections.abc import Mapping
from typing import Final

from gateway.core.eligibility import Sample, Speed

SPEED_SHARE: Final = 0.2  # of the newest answer in the average
OWN_SECONDS: Final = 60.0  # so long one's own measurements count before another worker's
_FEWEST_RATE_TOKENS: Final = 4  # a shorter answer says nothing about tokens per second
_SHORTEST_WRITING: Final = 0.001  # seconds; what is faster than the clock can tell says nothing either


class Speeds:
    """Per model: seconds to the first token, and tokens a second after it."""

    def __init__(self) -> None:
        self._speeds: dict[str, Speed] = {}

    @property
    def speeds(self) -> Mapping[str, Speed]:
        """By model id; those never measured are missing."""
        return self._speeds

    def adopt(self, model_id: str, speed: Speed) -> None:
        """Another worker's measurement; believed where none of our own is nearly as new."""
        known = self._speeds.get(model_id)
        if known is None or known.measured_at + OWN_SECONDS < speed.measured_at:
            self._speeds[model_id] = speed

    def observe(self, sample: Sample, now: float) -> None:
        """Take one answer in. An answer that came whole tells the rate only, by what is known of the first token."""
        known = self._speeds.get(sample.model_id)
        first = sample.first_token_seconds
        if first is None:
            first = min(known.first_token_seconds, sample.total_seconds / 2) if known else 0.0
        writing = sample.total_seconds - first
        is_telling = sample.output_tokens >= _FEWEST_RATE_TOKENS and writing >= _SHORTEST_WRITING
        rate = sample.output_tokens / writing if is_telling else None
        if known is None:
            if rate is not None:
                self._speeds[sample.model_id] = Speed(first, rate, now)
            return
        self._speeds[sample.model_id] = Speed(
            _moved(known.first_token_seconds, first, SPEED_SHARE),
            known.tokens_per_second if rate is None else _moved(known.tokens_per_second, rate, SPEED_SHARE),
            now,
        )


def _moved(mean: float, newest: float, share: float) -> float:
    return mean + (newest - mean) * share
