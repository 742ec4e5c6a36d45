"""How the day's neurons will go on: where they will stand at midnight UTC, and when the free ones are used up.

The pace is that of the hour in progress and the one before it: a day's traffic is too uneven for its mean, and a single
request too little for a pace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HOUR: Final = 3_600
_DAY: Final = 86_400


@dataclass(slots=True, frozen=True)
class Forecast:
    """Nano-neurons by midnight at the present pace; when the free ones are or were used up (unix s), None: not so."""

    by_midnight_nano: int
    exhausted_at: int | None


def forecast(by_hour: Sequence[int], now: int, free_nano: int) -> Forecast:
    """`by_hour`: nano-neurons of each hour of the UTC day that has begun; `now` is unix seconds."""
    midnight = now - now % _DAY
    used = sum(by_hour)
    lately = by_hour[-2:]
    seconds = max(1, now % _HOUR + _HOUR * (len(lately) - 1))
    pace = sum(lately) / seconds
    by_midnight = used + round(pace * (midnight + _DAY - now))
    if used >= free_nano:
        return Forecast(by_midnight, _passed_at(by_hour, now, free_nano))
    if by_midnight <= free_nano or not pace:
        return Forecast(by_midnight, None)
    return Forecast(by_midnight, min(midnight + _DAY, now + int((free_nano - used) / pace)))


def _passed_at(by_hour: Sequence[int], now: int, free_nano: int) -> int:
    """When the sum came to `free_nano`, as if each hour had been even."""
    before, start = 0, now - now % _DAY
    for amount in by_hour:
        if before + amount >= free_nano:
            end = min(now, start + _HOUR)
            return start + (round((end - start) * (free_nano - before) / amount) if amount else 0)
        before, start = before + amount, start + _HOUR
    return now
