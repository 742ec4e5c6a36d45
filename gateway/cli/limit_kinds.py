"""Limits of every kind on the command line: how they are written, where they are set, and the table that shows them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

import msgspec
import typer

from gateway.cli.connection import Connection
from gateway.cli.output import Column, print_note, print_table, show_dollars, show_moment
from gateway.cli.session import find_key, find_project, keys_path
from gateway.cli.views import KindLimit
from gateway.core.limits import LARGEST_LIMIT

LimitEntry = dict[str, str | int | None]

_NANO_PER_DOLLAR = 10**9
_MOST_DOLLARS = LARGEST_LIMIT // _NANO_PER_DOLLAR
_COLUMNS = (
    Column("SCOPE"),
    Column("KIND"),
    Column("WINDOW"),
    Column("LIMIT", is_number=True),
    Column("USED", is_number=True),
    Column("HELD", is_number=True),
    Column("LEFT", is_number=True),
    Column("RESETS (UTC)"),
    Column("OF MODEL"),
)


def read_limit(text: str) -> LimitEntry:
    """`requests/minute=60`, `concurrency=4`, `tokens/day=none`, `requests/minute/MODEL=9`. The gateway says what kinds,
    windows and models there are.
    """
    name, equals, amount = text.partition("=")
    kind, _, rest = name.partition("/")
    window, _, model = rest.partition("/")
    if not equals or not kind or not (amount.isdecimal() or amount == "none"):
        raise typer.BadParameter(f"'{text}' is no limit; e.g. requests/minute=60", param_hint="--limit")
    return {
        "kind": kind,
        "window": window or ("now" if kind == "concurrency" else None),
        "limit": None if amount == "none" else int(amount),
        **({"model": model} if model else {}),
    }


def read_budget(text: str) -> tuple[Decimal, str]:
    """Dollars and window of `25`, `$25` or `5/day`; by itself it is per month."""
    amount, _, window = text.partition("/")
    try:
        dollars = Decimal(amount.removeprefix("$"))
    except InvalidOperation as error:
        raise typer.BadParameter(f"'{text}' is no amount of dollars", param_hint="--usd") from error
    if not dollars.is_finite():
        raise typer.BadParameter(f"'{text}' is no amount of dollars", param_hint="--usd")
    if not 0 <= dollars <= _MOST_DOLLARS:
        raise typer.BadParameter(f"'{text}' is not between 0 and {_MOST_DOLLARS:,} dollars", param_hint="--usd")
    return dollars, window or "month"


def budget_entry(dollars: Decimal, window: str) -> LimitEntry:
    """A limit on money in nano-dollars."""
    return {"kind": "money", "window": window, "limit": int(dollars * _NANO_PER_DOLLAR)}


def limits_path(connection: Connection, project: str | None, key_id: str | None) -> str:
    """Where the limits of a key, of a project or of the organisation lie. Raises CommandFailed."""
    if key_id is not None:
        key = find_key(connection, key_id, project)
        return f"{keys_path(key.project_id)}/{key.id}/limits"
    if project is not None:
        return f"/organization/projects/{find_project(connection, project).id}/limits"
    return "/organization/limits"


def change_limits(connection: Connection, path: str, entries: Sequence[LimitEntry]) -> bytes:
    """Set and remove limits; the answer lists all there are now."""
    return connection.post(path, {"limits": entries})


def print_limits(answer: bytes, names: Mapping[str, str] = MappingProxyType({})) -> None:
    """Limits as a table; money in dollars. `names` are those of the scopes that have to be told apart, by id."""
    limits = msgspec.json.decode(answer, type=_Limits).data
    print_table(_COLUMNS, [_row(limit, names) for limit in limits])
    if not limits:
        print_note("Nothing is limited.")


class _Limits(msgspec.Struct):
    data: list[KindLimit]


def _row(limit: KindLimit, names: Mapping[str, str]) -> tuple[str, ...]:
    is_money = limit.kind == "money"
    amounts = [
        show_dollars(Decimal(each) / _NANO_PER_DOLLAR) if is_money else str(each)
        for each in (limit.limit, limit.used, limit.held, limit.remaining)
    ]
    scope = f"{limit.scope} {names[limit.id]}" if limit.id in names else limit.scope
    return scope, limit.kind, limit.window, *amounts, show_moment(limit.resets_at), limit.model or "all"
