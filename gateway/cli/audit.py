"""`gateway audit`: what administrators did and were refused, newest first, with what each act changed."""

import sys
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.connection import decode_all
from gateway.cli.output import Column, print_json, print_table, show_moment
from gateway.cli.period import SINCE, parse_since
from gateway.cli.session import AsJson, connect, find_project
from gateway.cli.views import AuditActor, AuditChange, AuditEntry, AuditTarget

_COLUMNS = (
    Column("AT (UTC)"),
    Column("EVENT"),
    Column("TARGET"),
    Column("WHO"),
    Column("FROM"),
    Column("OUTCOME"),
    Column("CHANGE"),
)
_FILTERS: Final = {
    "event": "event_types[]",
    "actor": "actor_ids[]",
    "project": "project_ids[]",
    "target": "resource_ids[]",
}
_LONGEST_CHANGE = 160  # on a terminal; a pipe has all of it


def list_acts(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help=SINCE)] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="event=TYPE, actor=ADMIN-KEY, project=ID-OR-NAME, target=OBJECT-ID. Repeatable."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List administrators' acts: who, from where, what, when, with what outcome, and what it changed."""
    wanted: dict[str, list[str]] = {}
    filters = [_read_filter(each) for each in where or ()]
    with connect(context) as connection:
        for name, value in filters:
            found_id = find_project(connection, value).id if name == "project" else value
            wanted.setdefault(_FILTERS[name], []).append(found_id)
        start = {} if since is None else {"effective_at[gte]": parse_since(since)}
        found = list(connection.items("/organization/audit_logs", {**wanted, **start}, limit))
    if as_json:
        print_json(found)
        return
    longest = _LONGEST_CHANGE if sys.stdout.isatty() else sys.maxsize
    entries = zip(decode_all(iter(found), AuditEntry), found, strict=True)
    print_table(_COLUMNS, [_cells(entry, raw, longest) for entry, raw in entries])


def _read_filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if name not in _FILTERS or not equals or not value:
        raise typer.BadParameter(f"'{text}' is none of {', '.join(_FILTERS)}, with = and a value", param_hint="--where")
    return name, value


def _cells(entry: AuditEntry, raw: msgspec.Raw, longest: int) -> tuple[str, ...]:
    said = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[entry.type]
    target = msgspec.json.decode(said, type=AuditTarget)
    change = _shown(entry.changes) or target.message or ""
    return (
        show_moment(entry.effective_at),
        entry.type,
        target.id,
        _who(entry.actor),
        entry.actor.ip_address or "–",
        entry.outcome,
        change if len(change) <= longest else f"{change[:longest]}…",
    )


def _who(actor: AuditActor) -> str:
    return f"{actor.name} ({actor.user_agent.split()[0]})" if actor.user_agent else actor.name


def _shown(changes: list[AuditChange]) -> str:
    """`name: "a" → "b"`, of all records; a new or removed one shows what it has or had."""
    parts = []
    for change in changes:
        before, after = change.before or {}, change.after or {}
        for name in {**before, **after}:
            old, new = _value(before.get(name)), _value(after.get(name))
            parts.append(f"{name}: {old} → {new}" if change.before is not None else f"{name}: {new}")
    return "; ".join(parts)


def _value(value: msgspec.Raw | None) -> str:
    return "none" if value is None or bytes(value) == b"null" else bytes(value).decode()
