"""`gateway limits`: hard budgets and rates of the organisation, of projects and of keys, set, shown, removed."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Annotated

import msgspec
import typer

from gateway.cli.connection import Connection
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.limit_kinds import budget_entry, change_limits, limits_path, print_limits, read_budget, read_limit
from gateway.cli.output import Column, print_json, print_note, print_table, show_dollars
from gateway.cli.session import AsJson, Yes, all_projects, confirm, connect, connect_as_client, find_project
from gateway.cli.views import SpendLimit

app = typer.Typer(no_args_is_help=True, help="Hard limits: what may be spent, how fast, how much at once.")

ProjectOption = Annotated[str | None, typer.Option(help="Id or name; else the whole organisation.")]

KeyOption = Annotated[str | None, typer.Option(help="A key's id or name.")]

_COLUMNS = (
    Column("SCOPE"),
    Column("LIMIT USD", is_number=True),
    Column("USED USD", is_number=True),
    Column("LEFT USD", is_number=True),
    Column("INTERVAL"),
    Column("STATUS"),
)
_CENTS_PER_DOLLAR = 100


@app.command("set")
def set_limit(
    context: typer.Context,
    dollars: Annotated[
        str | None, typer.Option("--usd", help="Dollars per calendar month (25, 0.005), or 5/day, 9/week, 100/total.")
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", help="requests/minute=60, tokens/day=1000000, concurrency=4; =none removes. Repeatable."
        ),
    ] = None,
    project: ProjectOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Set hard limits. They hold from the next request on, at any concurrency."""
    entries = [read_limit(each) for each in limits or ()]
    budget = None if dollars is None else read_budget(dollars)
    if budget is None and not entries:
        raise typer.BadParameter("say what is limited", param_hint="--usd or --limit")
    if budget is not None and (key is not None or budget[1] != "month"):
        entries.append(budget_entry(*budget))
        budget = None
    with connect(context) as connection:
        shown: Callable[[bytes], None] = print_limits
        if budget is not None:
            scope, path = _scope(connection, project)
            answer = _set_spend_limit(connection, path, budget[0])
            shown = partial(_print_budget, scope)
        if entries:  # what it answers has the budget in it
            answer = change_limits(connection, limits_path(connection, project, key), entries)
            shown = print_limits
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    shown(answer)


def _set_spend_limit(connection: Connection, path: str, dollars: Decimal) -> bytes:
    cents = msgspec.Raw(f"{dollars * _CENTS_PER_DOLLAR:f}".encode())
    return connection.post(path, {"threshold_amount": cents, "currency": "USD", "interval": "month"})


def _print_budget(scope: str, answer: bytes) -> None:
    print_table(_COLUMNS, [_row(scope, answer)])


@app.command("show")
def show_limits(
    context: typer.Context,
    project: ProjectOption = None,
    key: KeyOption = None,
    every_kind: Annotated[
        bool, typer.Option("--every-kind", help="All limits of this scope, not only budgets.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the monthly budgets: one project's, or all there are; of a key, or with --every-kind, all its limits."""
    with connect(context) as connection:
        if every_kind or key is not None:
            limits = connection.get(limits_path(connection, project, key))
            print_json(msgspec.Raw(limits)) if as_json else print_limits(limits)
            return
        paths = dict([_scope(connection, project)]) if project else _all_scopes(connection)
        found = {scope: answer for scope, path in paths.items() if (answer := _limit_at(connection, path))}
    if as_json:
        print_json({scope: msgspec.Raw(answer) for scope, answer in found.items()})
        return
    print_table(_COLUMNS, [_row(scope, answer) for scope, answer in found.items()])
    if not found:
        print_note("No spend limit is set. `gateway limits set --usd N [--project P]` sets one.")


@app.command("list")
def list_limits(context: typer.Context, as_json: AsJson = False) -> None:
    """List the limits of every kind of the organisation and of its projects, with what is left of each."""
    with connect(context) as connection:
        limits = connection.get("/organization/limits/all")
        names = {each.id: each.name for each in all_projects(connection)}
    if as_json:
        print_json(msgspec.Raw(limits))
        return
    print_limits(limits, names)
    print_note("Those of a key: gateway limits show --key KEY")


@app.command("mine")
def show_own_limits(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what is left to the holder of a virtual key: $GATEWAY_API_KEY, else the first key of a gateway here."""
    with connect_as_client(context) as connection:
        limits = connection.get("/organization/limits/me")
    print_json(msgspec.Raw(limits)) if as_json else print_limits(limits)


@app.command("remove")
def remove_limit(
    context: typer.Context, project: ProjectOption = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Remove a budget: nothing limits that scope any more."""
    with connect(context) as connection:
        scope, path = _scope(connection, project)
        confirm(f"Remove the spend limit of {scope}?", yes)
        answer = connection.delete(path)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"The spend limit of {scope} is removed.")


def _scope(connection: Connection, project: str | None) -> tuple[str, str]:
    if project is None:
        return "organization", "/organization/spend_limit"
    found = find_project(connection, project)
    return found.name, f"/organization/projects/{found.id}/spend_limit"


def _all_scopes(connection: Connection) -> dict[str, str]:
    projects = [each for each in all_projects(connection) if each.status == "active"]
    names = [each.name for each in projects]
    scopes = {"organization": "/organization/spend_limit"}
    for each in projects:
        is_ambiguous = names.count(each.name) > 1 or each.name in scopes
        name = f"{each.name} ({each.id})" if is_ambiguous else each.name
        scopes[name] = f"/organization/projects/{each.id}/spend_limit"
    return scopes


def _limit_at(connection: Connection, path: str) -> bytes | None:
    """The limit, None where none is set."""
    try:
        return connection.get(path)
    except CommandFailed as failure:
        if failure.code is ExitCode.REFUSED:
            return None
        raise


def _row(scope: str, answer: bytes) -> tuple[str, ...]:
    limit = msgspec.json.decode(answer, type=SpendLimit)
    left = max(Decimal(0), limit.threshold_amount - limit.used_amount)
    amounts = [each / _CENTS_PER_DOLLAR for each in (limit.threshold_amount, limit.used_amount, left)]
    status = "used up" if limit.enforcement.status == "enforcing" else "open"
    return scope, *(show_dollars(each) for each in amounts), limit.interval, status
