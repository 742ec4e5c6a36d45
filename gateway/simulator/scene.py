"""What the writers of answers share: the answer, its reported usage, the switches, and names that vary per call. Pure.

Randomness comes in as a seeded generator, so a scene can be played again.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from gateway.simulator.models import SimulatedModel
from gateway.simulator.plan import Answer
from gateway.simulator.switches import Switches

Json = dict[str, Any]  # a JSON object of an answer

_ALPHABETS = {
    "gapped": "abdefghijklmnoprstuvxyz1234567890",
    "full": "abcdefghijklmnopqrstuvwxyz0123456789",
}
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True, frozen=True)
class Usage:
    """What an answer reports, with the run's secret offset inside. `None` neurons: this engine reports none."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    neurons: float

    def as_json(self, switches: Switches) -> Json:
        """The usage object; zeroed where the switches say so."""
        if switches.usage == "zero":
            return counted(0, 0, 0, 0, detail=switches.usage_detail)
        return counted(
            self.prompt_tokens,
            self.completion_tokens,
            self.cached_tokens,
            self.neurons,
            detail=switches.usage_detail,
        )


def counted(prompt: int, completion: int, cached: int, neurons: float, *, detail: bool) -> Json:
    """A usage object from its numbers."""
    usage: Json = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    if detail:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
        usage["neurons"] = neurons
    return usage


@dataclass(slots=True, frozen=True)
class Scene:
    """One answer about to be written."""

    answer: Answer
    usage: Usage
    switches: Switches
    model: SimulatedModel
    id: str
    created: int
    random: Random

    @property
    def echo(self) -> str:
        """The model name the answer carries, often not the requested one."""
        return self.switches.echo or self.model.echo or self.model.id

    @property
    def finish(self) -> str:
        """The finish reason shapes that have one carry."""
        return self.switches.finish or self.answer.finish

    def padding(self, default: str) -> Json:
        """The `p` member of an event: filler of random length in one of the three seen alphabets."""
        kind = self.switches.padding or default
        if kind == "none":
            return {}
        if kind == "base36":
            return {"p": "".join(self.random.choices(_BASE36, k=self.random.randint(8, 50)))}
        alphabet = _ALPHABETS[kind]
        return {"p": (alphabet * 2)[: self.random.randint(3, 40)]}
