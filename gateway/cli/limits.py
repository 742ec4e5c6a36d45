"""`gateway limits`: hard monthly budgets of the organisation and of projects, set, shown, removed."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

import msgspec
import typer

from gateway.cli.connection import Connection
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table, show_dollars
from gateway.cli.session import AsJson, Yes, all_projects, confirm, connect, find_project
from gateway.cli.views import SpendLimit

app = typer.Typer(no_args_is_help=True, help="Hard budgets: what may be spent per calendar month (UTC).")

ProjectOption = Annotated[str | None, typer.Option(help="Id or name; else the whole organisation.")]

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
    dollars: Annotated[str, typer.Option("--usd", help="Dollars per calendar month, e.g. 25 or 0.005.")],
    project: ProjectOption = None,
    as_json: AsJson = False,
) -> None:
    """Set a hard budget. It holds from the next request on, at any concurrency."""
    try:
        amount = Decimal(dollars.removeprefix("$"))
    except InvalidOperation as error:
        raise typer.BadParameter(f"'{dollars}' is no amount of dollars", param_hint="--usd") from error
    if not amount.is_finite():
        raise typer.BadParameter(f"'{dollars}' is no amount of dollars", param_hint="--usd")
    cents = msgspec.Raw(f"{amount * _CENTS_PER_DOLLAR:f}".encode())
    body = {"threshold_amount": cents, "currency": "USD", "interval": "month"}
    with connect(context) as connection:
        scope, path = _scope(connection, project)
        answer = connection.post(path, body)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_table(_COLUMNS, [_row(scope, answer)])


@app.command("show")
def show_limits(context: typer.Context, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Show the budgets: one project's, or all there are."""
    with connect(context) as connection:
        paths = dict([_scope(connection, project)]) if project else _all_scopes(connection)
        found = {scope: answer for scope, path in paths.items() if (answer := _limit_at(connection, path))}
    if as_json:
        print_json({scope: msgspec.Raw(answer) for scope, answer in found.items()})
        return
    print_table(_COLUMNS, [_row(scope, answer) for scope, answer in found.items()])
    if not found:
        print_note("No spend limit is set. `gateway limits set --usd N [--project P]` sets one.")


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
