"""How long the answers of a key are, per route: an even mean at first, a moving one later.

It only orders candidates: a wrong figure costs a little money, never an answer. What one worker has seen is told to the
others key by key (`fleet.length_exchange`); who has seen more answers is believed.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.core.eligibility import Sample

FEWEST_SAMPLES: Final = 20  # answers of a key on a route before their length is believed
OUTPUT_SHARE: Final = 0.02  # of the newest answer in the mean length, once there are many
MOST_KEYS: Final = 4_096  # whose lengths are remembered, the latest used

Seen = Mapping[str, tuple[int, float]]
"""By route: how many answers, and their mean length in tokens."""


@dataclass(slots=True)
class _Lengths:
    """One key's answers: how many per route, their mean length, and the lengths that may be believed."""

    counts: dict[str, int] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)
    believed: dict[str, int] = field(default_factory=dict)

    def set(self, route: str, count: int, mean: float) -> None:
        self.counts[route], self.means[route] = count, mean
        if count >= FEWEST_SAMPLES:
            self.believed[route] = max(1, round(mean))


class OutputLengths:
    """Per key and route: how many tokens its answers had. `changed` and `unknown` are keys, to be told and asked."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self.unknown: set[str] = set()
        self._keys: OrderedDict[str, _Lengths] = OrderedDict()

    def of(self, key_id: str) -> Mapping[str, int] | None:
        """Expected output tokens by route; None for a key nothing is known about here."""
        lengths = self._keys.get(key_id)
        if lengths is None:
            if len(self.unknown) < MOST_KEYS:
                self.unknown.add(key_id)
            return None
        return lengths.believed

    def observe(self, sample: Sample) -> None:
        """Take one answer in."""
        lengths, route = self._lengths(sample.key_id), sample.route
        count = lengths.counts.get(route, 0) + 1
        mean = lengths.means.get(route, 0.0)
        lengths.set(route, count, mean + (sample.output_tokens - mean) * max(1 / count, OUTPUT_SHARE))
        self.changed.add(sample.key_id)

    def seen(self, key_id: str) -> Seen:
        """What is known here of a key."""
        lengths = self._keys.get(key_id)
        return (
            {} if lengths is None else {route: (count, lengths.means[route]) for route, count in lengths.counts.items()}
        )

    def adopt(self, key_id: str, seen: Seen) -> None:
        """What other workers know of a key, perhaps nothing; where they have seen more, they are right."""
        lengths = self._lengths(key_id)
        for route, (count, mean) in seen.items():
            if count > lengths.counts.get(route, 0):
                lengths.set(route, count, mean)

    def _lengths(self, key_id: str) -> _Lengths:
        lengths = self._keys.get(key_id)
        if lengths is None:
            lengths = self._keys[key_id] = _Lengths()
            if len(self._keys) > MOST_KEYS:
                forgotten, _ = self._keys.popitem(last=False)
                self.changed.discard(forgotten)
        self._keys.move_to_end(key_id)
        return lengths
