"""Neurons, the unit Cloudflare meters and bills in: how many an answer took, and what they cost.

What the upstream reports is taken as it is; where it says nothing (an answer that was cut, an engine that reports no
neurons) the rates of the price table are applied to the tokens, and the figure is labelled `computed`. Amounts are
integers: nano-neurons (10⁻⁹) and nano-dollars. Decides amounts only; the price-book cost beside them is pricing.py's.
"""

from dataclasses import dataclass

from gateway.core.answer import Usage
from gateway.core.catalog import Model
from gateway.core.receipt import NeuronsSource

NANO = 1_000_000_000
_NANO_PER_RATE = 1_000  # rates are neurons per million tokens: 10⁹ / 10⁶


@dataclass(slots=True, frozen=True)
class NeuronPrice:
    """What the account pays: nano-dollars per 1,000 neurons beyond the free ones of each UTC day.

    The defaults are the Workers AI pricing page's.
    """

    free_per_day: int = 10_000
    nano_per_thousand: int = 11_000_000

    @property
    def usd_per_thousand(self) -> float:
        """`nano_per_thousand` in dollars, to be shown."""
        return self.nano_per_thousand / NANO

    def gross_nano(self, neurons_nano: int) -> int:
        """What so many nano-neurons cost without any free ones, half up."""
        whole = 1_000 * NANO
        return (neurons_nano * self.nano_per_thousand + whole // 2) // whole

    def billed_nano(self, neurons_nano: int) -> int:
        """What a whole day's nano-neurons of the account cost once the free ones are taken off."""
        return self.gross_nano(max(0, neurons_nano - self.free_per_day * NANO))


def neurons_at(rate_in: int, rate_out: int, prompt_tokens: int, completion_tokens: int) -> int:
    """Nano-neurons of so many tokens at rates per million; cached tokens count like others."""
    return (prompt_tokens * rate_in + completion_tokens * rate_out) * _NANO_PER_RATE


def neurons_of(model: Model, usage: Usage) -> tuple[int | None, NeuronsSource]:
    """Nano-neurons of one attempt and how they are known; None where neither the upstream nor the catalogue says."""
    if usage.neurons is not None:
        return round(usage.neurons * NANO), "reported"
    if model.neurons_in_per_mtok is None or model.neurons_out_per_mtok is None:
        return None, "reported"
    rates = model.neurons_in_per_mtok, model.neurons_out_per_mtok
    return neurons_at(*rates, usage.prompt_tokens, usage.completion_tokens), "computed"
