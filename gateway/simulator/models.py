"""The models the simulator plays: windows, meters, engines, quirks and published input constraints, as data.

Figures are those of the published model pages and price table; what is only inferred is marked so. Nothing here
is shared with the gateway's own catalogue on purpose: two independent copies find each other's mistakes.
"""

from typing import Literal

import msgspec

Engine = Literal["native", "openai"]
"""Which serving stack answers: `native` writes `response`, `openai` writes `choices` with a native tail."""


class InputRules(msgspec.Struct, frozen=True):
    """What a model's published input schema allows. Bounds are inclusive; `text_limit` is in characters."""

    penalty_minimum: float = 0
    top_p: tuple[float, float] = (0, 2)
    text_limit: int | None = None
    response_format: bool = True
    raw_messages: bool = True
    image: bool = False


PLAIN_RULES = InputRules()
OLD_RULES = InputRules(text_limit=131072, response_format=False, raw_messages=False, image=True)
HF_RULES = InputRules(penalty_minimum=-2, top_p=(0.001, 1))


class SimulatedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model. Rates are neurons per million tokens, prices dollars per million tokens."""

    id: str
    window_tokens: int
    rates: tuple[int, int]
    prices: tuple[float, float]
    template: Literal["llama3", "llama3.1"] = "llama3.1"
    engine: Engine = "native"
    rules: InputRules = PLAIN_RULES
    json_mode: bool = True
    loras: bool = False
    echo: str = ""  # the model name in OpenAI-shaped answers; empty: the id
    backend: str = ""  # the name in a retirement notice; empty: the id
    deprecated_on: str = ""
    catalogue_id: str = "00000000-0000-4000-8000-000000000000"

    def neurons(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What the meter counts for one call."""
        return (prompt_tokens * self.rates[0] + completion_tokens * self.rates[1]) / 1_000_000


_FAST_ECHO = "@cf/meta/llama-3.1-8b-fast-v2"
_RETIRED = "2026-05-30"

MODELS: tuple[SimulatedModel, ...] = (
    SimulatedModel(
        id="@cf/meta/llama-3.1-8b-instruct-fp8",
        window_tokens=32_000,
        rates=(13778, 26128),
        prices=(0.152, 0.287),
        json_mode=False,  # its schema lists response_format, its engine refuses it
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0001",
    ),
    SimulatedModel(
        id="@cf/meta/llama-3.1-8b-instruct-fast",
        window_tokens=128_000,
        rates=(4119, 34868),  # inferred: the fp8-fast rates
        prices=(0.045, 0.384),
        engine="openai",
        rules=OLD_RULES,
        echo=_FAST_ECHO,
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0002",
    ),
    SimulatedModel(
        id="@cf/meta/llama-3.1-8b-instruct-fp8-fast",
        window_tokens=128_000,  # inferred
        rates=(4119, 34868),
        prices=(0.045, 0.384),
        engine="openai",
        rules=OLD_RULES,  # inferred
        echo=_FAST_ECHO,
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0003",
    ),
    SimulatedModel(
        id="@hf/meta-llama/meta-llama-3-8b-instruct",
        window_tokens=8_192,
        rates=(25608, 75147),  # inferred: the @cf llama-3-8b rates
        prices=(0.282, 0.827),
        template="llama3",
        rules=HF_RULES,
        deprecated_on=_RETIRED,
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0004",
    ),
    SimulatedModel(
        id="@cf/meta/llama-3.1-8b-instruct",
        window_tokens=16_000,  # one card's figure; another page says 7,968
        rates=(25608, 75147),
        prices=(0.282, 0.827),
        rules=OLD_RULES,
        backend="@cf/meta/infire-llama-3.1-8b-instruct",
        deprecated_on=_RETIRED,
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0005",
    ),
    SimulatedModel(
        id="@cf/meta/llama-3.1-8b-instruct-awq",
        window_tokens=8_192,
        rates=(11161, 24215),
        prices=(0.123, 0.266),
        json_mode=False,
        deprecated_on=_RETIRED,
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0006",
    ),
    SimulatedModel(
        id="@cf/meta/llama-3-8b-instruct",
        window_tokens=7_968,  # inferred
        rates=(25608, 75147),
        prices=(0.282, 0.827),
        template="llama3",
        rules=HF_RULES,  # inferred
        deprecated_on=_RETIRED,
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0007",
    ),
    SimulatedModel(
        id="@cf/meta/llama-3-8b-instruct-awq",
        window_tokens=8_192,  # inferred
        rates=(11161, 24215),
        prices=(0.123, 0.266),
        template="llama3",
        rules=HF_RULES,  # inferred
        json_mode=False,
        deprecated_on=_RETIRED,
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0008",
    ),
    SimulatedModel(
        id=_FAST_ECHO,  # an undocumented name under which the fast model also answers
        window_tokens=128_000,
        rates=(4119, 34868),
        prices=(0.045, 0.384),
        engine="openai",
        rules=OLD_RULES,
        catalogue_id="5f1a4a6e-0a43-4b5c-9f7d-2a1d5b7c0009",
    ),
)
