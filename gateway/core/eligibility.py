"""Which models can do a call at all: the same test for a first choice and for every fallback.

A candidate is one that the key may use, has the window (by our count and by the upstream's own estimate), offers what
the call needs, is within the route's price ceiling, and is neither retired nor resting after failures. Whoever is left
out carries the reason. It puts nothing in order; that is the policies' business. Reasons are worded when somebody reads
them: most plans are made and never looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from gateway.core.access import EVERYTHING, Access
from gateway.core.answer import FailureKind
from gateway.core.call import Call
from gateway.core.catalog import Model, Price, Route, Template
from gateway.core.pricing import TOKENS_PER_PRICE, dearest_input, worst_cost

MIN_OUTPUT_TOKENS = 256  # room a model must have where the client names no max_tokens
DEFAULT_OUTPUT_TOKENS = 4_096  # most that is asked for then; the upstream's own default of 256 cuts answers
CHARS_PER_TOKEN = 4  # the upstream's estimate, checked before inference over input and max_tokens
EXPECTED_OUTPUT_TOKENS = 256  # length of an answer as long as nothing was learned


@dataclass(slots=True, frozen=True)
class Speed:
    """How fast a model has been: seconds to the first token, tokens a second after it, and when that was measured."""

    first_token_seconds: float
    tokens_per_second: float
    measured_at: float  # unix seconds


@dataclass(slots=True, frozen=True)
class Sample:
    """One answered attempt. Seconds count from the start of the attempt; None where the answer came whole."""

    key_id: str
    route: str
    model_id: str
    output_tokens: int
    first_token_seconds: float | None
    total_seconds: float


@dataclass(slots=True, frozen=True)
class Stop:
    """The whole account may not be asked before `until` (unix seconds), because of a failure of this kind."""

    kind: FailureKind
    until: float


@dataclass(slots=True, frozen=True)
class Learned:
    """What the models' own answers have taught. Empty at the start; model ids are the keys."""

    retired: Mapping[str, float] = field(default_factory=dict)  # confirmed by answers, since (unix seconds)
    proven: frozenset[str] = frozenset()  # answered lately, whatever their deprecation date says
    resting: Mapping[str, float] = field(default_factory=dict)  # after failures, until (unix seconds)
    windows: Mapping[str, int] = field(default_factory=dict)  # smaller than the catalogue says
    unlimited: frozenset[str] = frozenset()  # took a message longer than their published limit
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    stop: Stop | None = None


NOTHING_LEARNED: Final = Learned()
_NO_OUTPUTS: Final[Mapping[str, int]] = MappingProxyType({})


class Facts(msgspec.Struct, frozen=True):
    """What is known when a call is planned. Token counts include the template of each model family."""

    now: float  # unix seconds
    prompt_tokens: Mapping[Template, int]
    prompt_chars: int
    longest_content_chars: int
    learned: Learned = NOTHING_LEARNED
    outputs: Mapping[str, int] = _NO_OUTPUTS  # by route: how many tokens this key's answers have had
    access: Access = EVERYTHING  # what the key may use
    full: frozenset[str] = frozenset()  # models whose rate is used up for now: asked after those that are not
    draw: float = 0.0  # a random number in [0, 1), for the policies that draw


Doubt = Literal["", "deprecated", "content_chars"]


class Candidate(msgspec.Struct):
    """A model that can do the call. `max_tokens` is per choice, what will be asked of it at most.

    `score` orders candidates, smaller is better, in the policy's own unit. A `doubt` puts a candidate behind all that
    have none.
    """

    model: Model
    prompt_tokens: int
    max_tokens: int
    expected_nano: int
    tell: Callable[["Candidate"], str]
    expected_output: int = 0  # tokens per choice
    score: float = 0.0
    doubt: Doubt = ""
    told: str = ""  # the reason, once somebody has asked for it
    learned_window: int = 0  # in tokens, where it is not the catalogue's

    @property
    def reason(self) -> str:
        """Why it has its place, in plain words. To be asked for when the order is final."""
        if not self.told:
            self.told = self.tell(self)
        return self.told

    @property
    def window_tokens(self) -> int:
        """As learned, else of the catalogue."""
        return self.learned_window or self.model.window_tokens


Obstacle = Literal["access", "capability", "retired", "resting", "window", "price"]

_REASONS: Mapping[Obstacle, str] = {
    "access": "is not allowed to this key",
    "capability": "does not offer {}",
    "retired": "retired by Cloudflare",
    "resting": "failed repeatedly; asked again in {:.0f} s",
    "window": "its window of {} tokens is too small",
    "price": "could cost ${:.7f}, more than the route allows",
}


class Excluded(msgspec.Struct):
    """A model that cannot. `detail` is the capability, the seconds, the tokens or the dollars its reason speaks of."""

    model: Model
    obstacle: Obstacle
    detail: str | float = ""

    @property
    def reason(self) -> str:
        """Why it was left out, in plain words."""
        return _REASONS[self.obstacle].format(self.detail)


def examine(
    call: Call, model: Model, route: Route, facts: Facts, tell: Callable[[Candidate], str]
) -> Candidate | Excluded:
    """The model as a candidate of this route, or what is in the way. `tell` words the reason of a candidate."""
    learned, model_id = facts.learned, model.id
    if not facts.access.may_serve(model):
        return Excluded(model, "access")
    missing = _missing_capability(call, model)
    if missing:
        return Excluded(model, "capability", missing)
    if model_id in learned.retired:
        return Excluded(model, "retired")
    if model_id in learned.resting and learned.resting[model_id] > facts.now:
        return Excluded(model, "resting", learned.resting[model_id] - facts.now)
    window = learned.windows.get(model_id, model.window_tokens)
    counted = facts.prompt_tokens[model.template]
    room = window - max(counted, -(-facts.prompt_chars // CHARS_PER_TOKEN))
    if room < (call.max_tokens or MIN_OUTPUT_TOKENS):
        return Excluded(model, "window", window)
    max_tokens = call.max_tokens or min(DEFAULT_OUTPUT_TOKENS, room)
    price = model.price_at(facts.now)
    if route.max_cost_nano is not None:
        if call.max_tokens is None:
            max_tokens = max(MIN_OUTPUT_TOKENS, min(max_tokens, _affordable(route.max_cost_nano, price, counted, call)))
        most = worst_cost(price, counted, max_tokens, call.n)
        if most > route.max_cost_nano:
            return Excluded(model, "price", most / 1e9)
    output = min(max_tokens, facts.outputs.get(route.name, EXPECTED_OUTPUT_TOKENS))
    spent = counted * price.input_nano_per_mtok + output * price.output_nano_per_mtok
    expected = call.n * spent // TOKENS_PER_PRICE
    return Candidate(
        model,
        counted,
        max_tokens,
        expected,
        tell,
        output,
        doubt=_doubt(model, facts),
        learned_window=learned.windows.get(model_id, 0),
    )


def _missing_capability(call: Call, model: Model) -> str | None:
    offered = model.capabilities
    if call.tools and call.tool_choice.mode != "none" and "tools" not in offered:
        return "tools"
    if call.response_format is not None and "json" not in offered and model.json_mode != "prompt":
        return "response_format"
    if call.stream and "stream" not in offered:
        return "stream"
    if call.raw and "raw" not in offered:
        return "raw"
    if call.lora is not None and "lora" not in offered:
        return "lora"
    return None


def _doubt(model: Model, facts: Facts) -> Doubt:
    """Past its deprecation date and silent since, or a message longer than its published limit, which may not hold."""
    if model.deprecated_on is not None and model.deprecated_on <= facts.now and model.id not in facts.learned.proven:
        return "deprecated"
    limit = model.max_content_chars
    if limit is not None and facts.longest_content_chars > limit and model.id not in facts.learned.unlimited:
        return "content_chars"
    return ""


def _affordable(ceiling_nano: int, price: Price, prompt_tokens: int, call: Call) -> int:
    """Output tokens per choice that keep the whole request, at its most expensive, within the ceiling."""
    left = ceiling_nano // call.n * TOKENS_PER_PRICE - prompt_tokens * dearest_input(price)
    return left // price.output_nano_per_mtok if price.output_nano_per_mtok else DEFAULT_OUTPUT_TOKENS
