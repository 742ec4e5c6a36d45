"""A file of teams: the projects, keys, limits and rules an organisation keeps under version control. Pure.

Read like a configuration: unknown names are refused, and every mistake is found at once, with its line. What the file
does not mention is left as it is; a list of limits, where there is one, is complete; `default` takes a rule back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, get_args

from gateway.config.document import Node, Reading, ScalarNode, compose
from gateway.config.kinds import (
    INVALID,
    JsonSchema,
    Key,
    Kind,
    ListOf,
    MapOf,
    Section,
    Value,
    choice,
    day,
    flag,
    integer,
    text,
    usd,
)
from gateway.config.problems import ConfigErrors, did_you_mean, joined
from gateway.core.limits import KINDS, LARGEST_LIMIT, MODEL_SLOT_MS, WindowName, meter_of
from gateway.core.records import Limit

LimitName = tuple[str, str, str]
"""Kind, window, and the id of the model it is of; empty for all."""

NEVER: Final = 0
"""The end of a key that has none."""

_SHORT: Final[Mapping[str, LimitName]] = {
    "rpm": ("requests", "minute", ""),
    "tpm": ("tokens", "minute", ""),
    "concurrency": ("concurrency", "now", ""),
}

_COUNTED: Final = tuple(kind for kind in KINDS if kind != "money")
_CALENDAR: Final = tuple(name for name in get_args(WindowName) if name != "now")


class _Limits:
    """Limits by name → amounts in the kinds' units."""

    def read(self, node: Node, path: str, reading: Reading) -> Value:
        found: dict[LimitName, int] = {}
        for name, item in reading.entries(node, path):
            below = joined(path, name)
            limit = limit_name(name)
            if limit is None:
                reading.refuse(below, "there is no such limit", did_you_mean(name, [*_SHORT, "usd/month", "usd/day"]))
                continue
            if limit in found:
                reading.refuse(below, "given twice under two names")
            amount = (usd() if limit[0] == "money" else integer(0, LARGEST_LIMIT)).read(item, below, reading)
            if amount is not INVALID:
                found[limit] = amount
        return found

    def schema(self) -> JsonSchema:
        money, amount = usd().schema(), integer(0, LARGEST_LIMIT).schema()
        counted = {f"^{kind}/({'|'.join(_CALENDAR)})$": amount for kind in _COUNTED}
        of_model = {f"^{kind}/({'|'.join(MODEL_SLOT_MS)})/.+$": amount for kind in _COUNTED}
        in_money = {f"^usd/({'|'.join(_CALENDAR)})$": money, f"^usd/({'|'.join(MODEL_SLOT_MS)})/.+$": money}
        return {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": dict.fromkeys(_SHORT, amount),
            "patternProperties": {**in_money, **counted, **of_model},
        }


@dataclass(slots=True, frozen=True)
class _OrDefault:
    """A value, or the word `default` → None."""

    kind: Kind

    def read(self, node: Node, path: str, reading: Reading) -> Value:
        if isinstance(node, ScalarNode) and node.value == "default":
            return None
        return self.kind.read(node, path, reading)

    def schema(self) -> JsonSchema:
        return {"anyOf": [self.kind.schema(), {"const": "default"}]}


@dataclass(slots=True, frozen=True)
class _OrNever:
    """A day → unix seconds, or the word `never`."""

    def read(self, node: Node, path: str, reading: Reading) -> Value:
        if isinstance(node, ScalarNode) and node.value == "never":
            return NEVER
        return day().read(node, path, reading)

    def schema(self) -> JsonSchema:
        return {"anyOf": [day().schema(), {"const": "never"}]}


_NAME: Final = text("a name of 1 to 256 characters", r"(?s)\S(.{0,254}\S)?")
_LIST: Final = _OrDefault(ListOf(text("a name", r"\S+"), minimum=1))


def _rule(name: str, kind: Kind, about: str) -> Key:
    return Key(name, kind, about)


_DRAIN: Final = Section(
    (
        Key("tokens", integer(1, 1_000_000), "At most so many tokens."),
        Key("seconds", integer(1, 600), "At most so long."),
    )
)
_RULES: Final = (
    _rule("allowed_models", _LIST, "Ids of the models that may serve; `default` is all."),
    _rule("allowed_routes", _LIST, "Routes that may be asked for; `default` is all."),
    _rule("default_route", _OrDefault(text("a route", r"\S+")), "The route of requests for no known model."),
    _rule("on_disconnect", _OrDefault(choice(("cancel", "drain"))), "What becomes of an answer nobody waits for."),
    _rule("drain_up_to", _OrDefault(_DRAIN), "How far it is drained."),
    _rule("on_store_down", _OrDefault(choice(("deny", "allow"))), "What becomes of requests without the store."),
    _rule("on_revoke", _OrDefault(choice(("cut", "finish"))), "What becomes of streams of a revoked key."),
    _rule("tags", MapOf(text("a tag", r"\S{1,64}"), text("text", r"(?s).+")), "Written into every row."),
)
RULE_NAMES: Final = (*(key.name for key in _RULES), "log_content")

_LIMITS_KEY: Final = Key("limits", _Limits(), "All limits there shall be: usd/month, tokens/day, rpm, concurrency …")
_KEY: Final = Section(
    (
        Key("owner", _NAME, "The service account it belongs to; its own name where nothing is said."),
        Key("expires", _OrNever(), "Its last day's end is the beginning of this day, UTC; or `never`."),
        Key("disabled", flag(), "Refused, until it is enabled again."),
        _LIMITS_KEY,
        *_RULES,
    )
)
_PROJECT: Final = Section(
    (
        _LIMITS_KEY,
        *_RULES,
        _rule("log_content", _OrDefault(flag()), "Prompts and answers go to the log."),
        Key("keys", MapOf(_NAME, _KEY), "Its keys by name."),
    )
)
TEAMS: Final = Section(
    (
        Key("organization", Section((_LIMITS_KEY,)), "The whole gateway."),
        Key("projects", MapOf(_NAME, _PROJECT), "Projects by name."),
    )
)


@dataclass(slots=True, frozen=True)
class WantedKey:
    """A key as it shall be; None and what is missing are left as they are."""

    owner: str | None = None
    expires: int | None = None  # unix seconds, or NEVER
    disabled: bool | None = None
    limits: Mapping[LimitName, int] | None = None
    rules: Mapping[str, Value] = field(default_factory=dict)  # None takes one back


@dataclass(slots=True, frozen=True)
class WantedProject:
    """A project as it shall be."""

    limits: Mapping[LimitName, int] | None = None
    rules: Mapping[str, Value] = field(default_factory=dict)
    keys: Mapping[str, WantedKey] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Teams:
    """Everything the file says."""

    organization_limits: Mapping[LimitName, int] | None = None
    projects: Mapping[str, WantedProject] = field(default_factory=dict)


def read_teams(content: str, reading: Reading) -> Teams:
    """What a file of teams says. Raises ConfigErrors with everything that is wrong with it."""
    root = compose(content)
    values: dict[str, Value] = TEAMS.read(root, "", reading) if root else {}
    if reading.problems:
        raise ConfigErrors(reading.problems)
    organization = values.get("organization", {})
    projects = {name: _project(given) for name, given in values.get("projects", {}).items()}
    return Teams(organization.get("limits"), projects)


def teams_schema() -> JsonSchema:
    """A file of teams as JSON Schema, for editors; published as docs/teams.schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "workers-ai-gateway teams",
        **TEAMS.schema(),
    }


def limit_name(name: str) -> LimitName | None:
    """What `usd/month`, `tokens/day/MODEL`, `rpm`, `concurrency` … limit; None where nothing counts that."""
    if name in _SHORT:
        return _SHORT[name]
    kind, _, rest = name.partition("/")
    window, _, model = rest.partition("/")
    kind = "money" if kind == "usd" else kind
    try:
        meter_of(Limit(kind, 1, window, model or None), 0)
    except ValueError:
        return None
    return kind, window, model


def shown_limit(limit: LimitName) -> str:
    """The name under which a limit is written."""
    kind, window, model = limit
    if kind == "concurrency":
        return kind
    return "/".join(part for part in ("usd" if kind == "money" else kind, window, model) if part)


def _project(given: dict[str, Value]) -> WantedProject:
    keys = {name: _key(each) for name, each in given.get("keys", {}).items()}
    return WantedProject(given.get("limits"), _rules(given), keys)


def _key(given: dict[str, Value]) -> WantedKey:
    plain = {name: given[name] for name in ("owner", "expires", "disabled", "limits") if name in given}
    return WantedKey(**plain, rules=_rules(given))


def _rules(given: dict[str, Value]) -> dict[str, Value]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if name in RULE_NAMES
    }
