"""The models: what each can do, how much it takes in, what it costs and where each figure comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import unquote

Capability = Literal["stream", "tools", "json", "lora", "raw"]
Template = Literal["llama3", "llama3.1", "other"]
"""How a prompt is laid out, which decides how it is counted; `other` is a family we can only estimate."""


@dataclass(slots=True, frozen=True)
class Range:
    """Inclusive bounds the upstream accepts for one parameter."""

    minimum: float
    maximum: float


@dataclass(slots=True, frozen=True)
class Price:
    """A price in force from a day on. Prices are nano-dollars per million tokens: exact for any published price.

    `source` says where the figure comes from: a page's name, or `inferred` or `disputed: …`.
    """

    id: str
    start: int  # unix seconds, UTC midnight of `from:` in the configuration
    source: str
    input_nano_per_mtok: int
    output_nano_per_mtok: int
    cached_nano_per_mtok: int | None = None

    @property
    def is_certain(self) -> bool:
        """Whether a user may rely on this figure without checking it."""
        return not self.source.startswith(("inferred", "disputed"))


@dataclass(slots=True, frozen=True)
class Model:
    """One entry of the catalogue. `id` is the full upstream id; `names` are the short names accepted for it."""

    id: str
    window_tokens: int
    prices: tuple[Price, ...]
    names: tuple[str, ...] = ()
    window_source: str = "published"
    template: Template = "llama3.1"
    capabilities: frozenset[Capability] = frozenset()
    ranges: dict[str, Range] = field(default_factory=dict)
    max_content_chars: int | None = None
    tools_shape: Literal["openai", "flat"] = "openai"
    json_mode: Literal["native", "prompt", "auto"] = "auto"
    neurons_in_per_mtok: int | None = None
    neurons_out_per_mtok: int | None = None
    requests_per_minute: int | None = None  # of the account; None: as `account.requests_per_minute` says
    deprecated_on: int | None = None  # unix seconds, UTC midnight
    successor: str | None = None
    upstream: str = "workers_ai"

    @property
    def neuron_rates(self) -> tuple[int, int]:
        """Neurons per million input and output tokens; zeros where they are not known."""
        return self.neurons_in_per_mtok or 0, self.neurons_out_per_mtok or 0

    def price_at(self, moment: float) -> Price:
        """The price in force at `moment` (unix seconds): the latest that has started, else the earliest."""
        started = [price for price in self.prices if price.start <= moment]
        return started[-1] if started else self.prices[0]


@dataclass(slots=True, frozen=True)
class Route:
    """A model name that stands for several models and a policy.

    `weights` are of models under `weighted`, of `cost` and `speed` under `balanced`. With `fallback_for_pinned` a model
    of this route that was asked for by its own name may be replaced by the others; `pinned` is that model then.
    """

    name: str
    models: tuple[str, ...]
    policy: str = "cheapest"
    max_attempts: int = 3
    weights: Mapping[str, float] = field(default_factory=dict)
    max_cost_nano: int | None = None  # most a request may cost at its most expensive, nano-dollars
    fallback_for_pinned: bool = False
    pinned: str | None = None

    @property
    def max_cost_usd(self) -> float | None:
        """`max_cost_nano` in dollars, to be shown."""
        return None if self.max_cost_nano is None else self.max_cost_nano / 1e9


@dataclass(slots=True, frozen=True)
class Catalog:
    """Everything a client may name in `model`. Aliases point at a route, a model id or a short name."""

    models: dict[str, Model]
    routes: dict[str, Route]
    aliases: dict[str, str]
    _named: dict[str, Route] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index every name once: looking one up is on the way of each request."""
        named: dict[str, Route] = {}
        by_id = {model_id: self._route_of(model_id) for model_id in self.models}
        for model in self.models.values():
            named.update(dict.fromkeys(model.names, by_id[model.id]))
        named.update(by_id)
        named.update(self.routes)
        # Last, so that an operator may point a retired model's name somewhere else.
        named.update({alias: named[target] for alias, target in self.aliases.items() if target in named})
        object.__setattr__(self, "_named", named)

    def _route_of(self, model_id: str) -> Route:
        """A model asked for by its own name: alone, or ahead of the first route's others that lends it fallbacks."""
        for route in self.routes.values():
            if route.fallback_for_pinned and model_id in route.models:
                return replace(route, name=model_id, pinned=model_id)
        return Route(model_id, (model_id,))

    def resolve(self, name: str) -> Route | None:
        """The route a client means by `name`: an alias, a route, a model id or a short name, percent-encoded or not.

        A single model is a route of its own, named by its id. None where nothing has this name.
        """
        return self._named.get(name) or self._named.get(unquote(name))
