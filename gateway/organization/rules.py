"""What a caller asks a project's or a key's rules to become: read from a body, checked, applied, told. Pure.

A member that is left out changes nothing; null takes a rule back, and a key then follows its project, a project the
default.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.catalog import Catalog
from gateway.core.errors import InvalidRequest
from gateway.core.records import OnDisconnect, OnRevoke, OnStoreDown, Rules
from gateway.organization.model_names import model_ids
from gateway.organization.parameters import Body, invalid_value

T = TypeVar("T")

LONGEST_LIST = 100
MOST_TAGS = 16
MOST_DRAIN_TOKENS = 1_000_000
MOST_DRAIN_SECONDS = 600
MOST_WEIGHT = 1_000

_ON_DISCONNECT: tuple[OnDisconnect, ...] = ("cancel", "drain")
_ON_STORE_DOWN: tuple[OnStoreDown, ...] = ("deny", "allow")
_ON_REVOKE: tuple[OnRevoke, ...] = ("cut", "finish")


class RulesChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rules that are to become otherwise; None takes one back."""

    allowed_models: tuple[str, ...] | UnsetType | None = UNSET
    allowed_routes: tuple[str, ...] | UnsetType | None = UNSET
    default_route: str | UnsetType | None = UNSET
    on_disconnect: str | UnsetType | None = UNSET
    drain_tokens: int | UnsetType | None = UNSET
    drain_seconds: int | UnsetType | None = UNSET
    on_store_down: str | UnsetType | None = UNSET
    on_revoke: str | UnsetType | None = UNSET
    log_content: bool | UnsetType | None = UNSET
    tags: dict[str, str] | UnsetType = UNSET
    queue_weight: int | UnsetType | None = UNSET


NO_CHANGE = RulesChange()


class DrainUpTo(msgspec.Struct, frozen=True):
    """How far a drain reads on after its client has left; None for the default."""

    tokens: int | None
    seconds: int | None


class RulesMembers(msgspec.Struct, kw_only=True):
    """The rules as members of a project or key object: what it says itself, null where it says nothing. All ours."""

    allowed_models: Sequence[str] | None
    allowed_routes: Sequence[str] | None
    default_route: str | None
    on_disconnect: str | None
    drain_up_to: DrainUpTo | None
    on_store_down: str | None
    on_revoke: str | None
    tags: dict[str, str]


def read_rules(body: Body, catalog: Catalog, *, of_project: bool = False) -> RulesChange:
    """The members of `RulesMembers`, and of a project `log_content` and `queue_weight`. Raises InvalidRequest."""
    drain_tokens, drain_seconds = _read_drain(body)
    return RulesChange(
        allowed_models=_given(body, "allowed_models", _models(body.texts("allowed_models", LONGEST_LIST), catalog)),
        allowed_routes=_given(body, "allowed_routes", _routes(body.texts("allowed_routes", LONGEST_LIST), catalog)),
        default_route=_given(body, "default_route", body.choice("default_route", tuple(catalog.routes))),
        on_disconnect=_given(body, "on_disconnect", body.choice("on_disconnect", _ON_DISCONNECT)),
        drain_tokens=drain_tokens,
        drain_seconds=drain_seconds,
        on_store_down=_given(body, "on_store_down", body.choice("on_store_down", _ON_STORE_DOWN)),
        on_revoke=_given(body, "on_revoke", body.choice("on_revoke", _ON_REVOKE)),
        log_content=_given(body, "log_content", body.flag("log_content")) if of_project else UNSET,
        tags=_read_tags(body),
        queue_weight=_given(body, "queue_weight", body.integer("queue_weight", 1, MOST_WEIGHT))
        if of_project
        else UNSET,
    )


def changed_rules(rules: Rules, change: RulesChange) -> Rules:
    """The rules afterwards. Raises InvalidRequest where they contradict each other."""
    if change == NO_CHANGE:
        return rules
    after = msgspec.convert({**msgspec.to_builtins(rules), **msgspec.to_builtins(change)}, Rules)
    if after.default_route and after.allowed_routes is not None and after.default_route not in after.allowed_routes:
        raise InvalidRequest(
            f"Invalid 'default_route': '{after.default_route}' is not among the allowed routes.",
            param="default_route",
            code="invalid_value",
        )
    return after


def rules_text(change: RulesChange) -> str:
    """For the audit stream: the change in JSON."""
    return msgspec.json.encode(change).decode()


def rules_members(rules: Rules) -> dict[str, Any]:  # members of several types
    """The members of `RulesMembers`."""
    is_bounded = rules.drain_tokens is not None or rules.drain_seconds is not None
    return {
        "allowed_models": rules.allowed_models,
        "allowed_routes": rules.allowed_routes,
        "default_route": rules.default_route,
        "on_disconnect": rules.on_disconnect,
        "drain_up_to": DrainUpTo(rules.drain_tokens, rules.drain_seconds) if is_bounded else None,
        "on_store_down": rules.on_store_down,
        "on_revoke": rules.on_revoke,
        "tags": rules.tags,
    }


def _given(body: Body, name: str, value: T | None) -> T | UnsetType | None:
    return None if body.is_null(name) else UNSET if value is None else value


def _read_drain(body: Body) -> tuple[int | UnsetType | None, int | UnsetType | None]:
    bounds = body.nested("drain_up_to")
    if bounds is None:
        return (None, None) if body.is_null("drain_up_to") else (UNSET, UNSET)
    tokens = bounds.integer("tokens", 1, MOST_DRAIN_TOKENS)
    seconds = bounds.integer("seconds", 1, MOST_DRAIN_SECONDS)
    bounds.done()
    return tokens, seconds


def _read_tags(body: Body) -> dict[str, str] | UnsetType:
    tags = body.text_map("tags", MOST_TAGS)
    return {} if body.is_null("tags") else UNSET if tags is None else tags


def _models(names: Sequence[str] | None, catalog: Catalog) -> tuple[str, ...] | None:
    return None if names is None else model_ids(names, catalog, "allowed_models")


def _routes(names: Sequence[str] | None, catalog: Catalog) -> tuple[str, ...] | None:
    for name in names or ():
        if name not in catalog.routes:
            raise invalid_value("allowed_routes", name, tuple(catalog.routes))
    return None if names is None else tuple(names)
