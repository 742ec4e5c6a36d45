"""The keys of models, routes and aliases: the catalogue's part of the table in schema.py."""

from typing import Final, get_args

from gateway.config.kinds import (
    Bounds,
    Key,
    ListOf,
    MapOf,
    Section,
    choice,
    day,
    flag,
    integer,
    number,
    text,
    usd,
    usd_per_mtok,
)
from gateway.core.catalog import Capability, Model, Route, Template
from gateway.core.policies import POLICIES

_SHOWN_MODEL: Final = Model("", 0, ())
_SHOWN_ROUTE: Final = Route("", ())

MAX_NEURON_RATE: Final = 10_000_000  # $110 per million tokens; nano-neurons of any request stay exact in the store

PARAMETERS: Final = (
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "repetition_penalty",
    "frequency_penalty",
    "presence_penalty",
)

# The id is put into the upstream's URL as it is, so nothing that means something in a URL, and no `..`.
MODEL_ID = text("a model id such as @cf/author/name", r"@?[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_NAME = text("a name without blanks, at most 200 characters", r"[^\s\x00-\x1f\x7f]{1,200}")

_PRICE: Final = Section(
    (
        Key("from", day(), "First day (UTC) of this price.", is_required=True),
        Key(
            "source",
            text("text", r"[^\x00-\x1f]{1,200}"),
            "Where the figures come from; `inferred…` and `disputed…` are warned about.",
            is_required=True,
        ),
        Key("input_usd_per_mtok", usd_per_mtok(), "Dollars per million prompt tokens.", is_required=True),
        Key("output_usd_per_mtok", usd_per_mtok(), "Dollars per million completion tokens.", is_required=True),
        Key("cached_usd_per_mtok", usd_per_mtok(), "Dollars per million cached prompt tokens.", "as input"),
    )
)

_RANGES: Final = Section(
    tuple(Key(name, Bounds(), f"Bounds of `{name}`; what lies outside is moved to the bound.") for name in PARAMETERS)
)

MODEL: Final = Section(
    (
        Key("enabled", flag(), "`false` removes a built-in model.", "true"),
        Key("names", ListOf(_NAME), "Further short names; the id's part after the last slash always is one."),
        Key("window_tokens", integer(1, 100_000_000), "Prompt and answer together fit in this many tokens."),
        Key(
            "window_source", text("text", r"[^\x00-\x1f]{1,200}"), "Where that comes from.", _SHOWN_MODEL.window_source
        ),
        Key(
            "template",
            choice(get_args(Template)),
            "Prompt layout of its family; `other` counts by what the upstream reports, else by an estimate.",
            "other; llama3.1 for the built-in ones but @hf",
        ),
        Key("capabilities", ListOf(choice(get_args(Capability))), "What it can do; a request for more passes it by."),
        Key("ranges", _RANGES, "Bounds the upstream accepts per parameter, `[minimum, maximum]`."),
        Key(
            "max_content_chars",
            integer(1, 1 << 31, may_be_null=True),
            "Longest single message, characters; null where unlimited.",
            "null",
        ),
        Key(
            "tools_shape",
            choice(("openai", "flat")),
            "How tool definitions are written for it.",
            _SHOWN_MODEL.tools_shape,
        ),
        Key(
            "json_mode",
            choice(("native", "prompt", "auto")),
            "Structured output: by the upstream's response_format, by instruction, or whichever works.",
            _SHOWN_MODEL.json_mode,
        ),
        Key("neurons_in_per_mtok", integer(0, MAX_NEURON_RATE, may_be_null=True), "Neurons per million prompt tokens."),
        Key(
            "neurons_out_per_mtok",
            integer(0, MAX_NEURON_RATE, may_be_null=True),
            "Neurons per million completion tokens.",
        ),
        Key(
            "requests_per_minute",
            integer(1, 1_000_000, may_be_null=True),
            "Requests a minute the account may send to this model.",
            "`account.requests_per_minute`",
        ),
        Key(
            "deprecated_on",
            day(may_be_null=True),
            "From this day (UTC) it comes after all others, until it answers.",
            "null",
        ),
        Key(
            "successor",
            text("a model id", r"[^\s\x00-\x1f]{1,200}", may_be_null=True),
            "What to use instead once it is retired.",
            "null",
        ),
        Key("prices", ListOf(_PRICE, minimum=1), "Prices, each in force from its day on."),
    )
)

ROUTE: Final = Section(
    (
        Key(
            "policy",
            choice(tuple(POLICIES)),
            "How eligible models are ordered, see docs/routing.md.",
            _SHOWN_ROUTE.policy,
        ),
        Key("models", ListOf(_NAME, minimum=1), "The models it stands for, ids or short names."),
        Key("max_attempts", integer(1, 20), "Upstream calls per request at most.", str(_SHOWN_ROUTE.max_attempts)),
        Key(
            "weights",
            MapOf(_NAME, number(0, 1_000_000)),
            "Under `weighted`: models and their shares, 0 for one that only steps in. Under `balanced`: `cost` and "
            "`speed`. What is not named weighs 1.",
        ),
        Key(
            "max_cost_usd",
            usd(),
            "Most a request may cost at its most expensive, dollars; models that could cost more are left out.",
            "none",
        ),
        Key(
            "fallback_for_pinned",
            flag(),
            "A model of this route asked for by its own name may be replaced by the others when it cannot answer.",
            "false",
        ),
    )
)

CATALOG_KEYS: Final = (
    Key("models", MapOf(MODEL_ID, MODEL), "Models by id. A built-in one is changed key by key."),
    Key("routes", MapOf(_NAME, ROUTE), "Model names that stand for several models and a policy."),
    Key("aliases", MapOf(_NAME, _NAME), "Other names for a route or model, e.g. `gpt-4o: auto`."),
)
CATALOG: Final = Section(CATALOG_KEYS)
