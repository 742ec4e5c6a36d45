"""How the rules of a project or a key are shown: what applies, and who says so."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.cli.output import Column, Row, print_table
from gateway.cli.views import DrainUpTo, Ruled

_COLUMNS = (Column("RULE"), Column("VALUE"), Column("FROM"))
_DEFAULTS: Final[Mapping[str, str]] = {
    "allowed_models": "all",
    "allowed_routes": "all",
    "on_disconnect": "cancel",
    "on_store_down": "deny",
    "on_revoke": "cut",
    "log_content": "false",
    "queue_weight": "1",
}


def print_rules(*scopes: tuple[str, Ruled]) -> None:
    """Every rule as the first scope that says something has it; allow-lists and tags are shown of each."""
    print_table(_COLUMNS, [row for rule in Ruled.__struct_fields__ for row in _rows(rule, scopes)])


def _rows(rule: str, scopes: Sequence[tuple[str, Ruled]]) -> Sequence[Row]:
    said = [(rule, _text(getattr(scope, rule)), name) for name, scope in scopes if getattr(scope, rule)]
    said += [(rule, "false", name) for name, scope in scopes if getattr(scope, rule) is False]
    if not said:
        return [(rule, _DEFAULTS.get(rule, "–"), "default")]
    return said if rule in ("allowed_models", "allowed_routes", "tags") else said[:1]


def _text(value: object) -> str:
    if isinstance(value, DrainUpTo):
        parts = (f"{value.tokens} tokens" * bool(value.tokens), f"{value.seconds} s" * bool(value.seconds))
        return ", ".join(filter(None, parts))
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
