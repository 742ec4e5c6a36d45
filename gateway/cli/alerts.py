"""`gateway alerts`: spend alerts, made, changed, listed, deleted; what was raised; a test of the webhook."""

from decimal import Decimal
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.connection import Connection, decode_all
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.limit_kinds import read_budget
from gateway.cli.output import Column, print_json, print_note, print_table, show_dollars, show_moment
from gateway.cli.session import AsJson, Yes, all_projects, confirm, connect, find_project
from gateway.cli.views import RaisedAlert, SpendAlert

app = typer.Typer(
    no_args_is_help=True,
    help="Alerts: who is told how much of a budget is used. 50, 80 and 100 % of every budget are always told.",
)

_COLUMNS: Final = (
    Column("ID"),
    Column("SCOPE"),
    Column("AT USD", is_number=True),
    Column("INTERVAL"),
    Column("RECIPIENTS"),
    Column("SUBJECT"),
)
_HISTORY_COLUMNS: Final = (Column("RAISED (UTC)"), Column("TYPE"), Column("MESSAGE"))
_CENTS_PER_DOLLAR = 100

OfProject = Annotated[str | None, typer.Option(help="Id or name; else the whole organisation.")]


@app.command("create")
def create_alert(
    context: typer.Context,
    dollars: Annotated[str, typer.Option("--usd", help="Dollars per calendar month.")],
    project: OfProject = None,
    email: Annotated[list[str] | None, typer.Option(help="Named to the webhook's receiver. Repeatable.")] = None,
    subject: Annotated[str | None, typer.Option(help="Likewise, the beginning of the subject.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a spend alert. Prints its id.

    Example: gateway alerts create --project search --usd 20 --email team@example.org
    """
    amount, window = read_budget(dollars)
    if window != "month":
        raise typer.BadParameter("spend alerts are per month", param_hint="--usd")
    body = {
        "threshold_amount": msgspec.Raw(f"{amount * _CENTS_PER_DOLLAR:f}".encode()),
        "currency": "USD",
        "interval": "month",
        "notification_channel": {"type": "email", "recipients": email or None, "subject_prefix": subject},
    }
    with connect(context) as connection:
        answer = connection.post(_path(connection, project), body)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    typer.echo(msgspec.json.decode(answer, type=SpendAlert).id)


@app.command("list")
def list_alerts(context: typer.Context, project: OfProject = None, as_json: AsJson = False) -> None:
    """List the spend alerts: one project's, or all there are."""
    with connect(context) as connection:
        found = _alerts(connection, project)
    if as_json:
        print_json([raw for _, raw in found])
        return
    rows = [_row(scope, msgspec.json.decode(raw, type=SpendAlert)) for scope, raw in found]
    print_table(_COLUMNS, rows)


@app.command("delete")
def delete_alert(
    context: typer.Context,
    alert_id: Annotated[str, typer.Argument(help="Its id, as `gateway alerts list` shows it.")],
    project: Annotated[str | None, typer.Option(help="Id or name; else it is looked for everywhere.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a spend alert."""
    with connect(context) as connection:
        path, alert = _find(connection, alert_id, project)
        confirm(f"Delete the spend alert at ${_dollars(alert)} per month ({alert.id})?", yes)
        answer = connection.delete(path)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"The spend alert {alert_id} is deleted.")


@app.command("history")
def list_raised(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the alerts that were raised, newest first."""
    with connect(context) as connection:
        found = list(connection.items("/organization/alerts", {}, limit))
    if as_json:
        print_json(found)
        return
    alerts = decode_all(iter(found), RaisedAlert)
    print_table(_HISTORY_COLUMNS, [(show_moment(each.created_at), each.type, each.message) for each in alerts])


@app.command("test")
def raise_test(context: typer.Context, as_json: AsJson = False) -> None:
    """Raise an alert that means nothing, to see it arrive at the webhook."""
    with connect(context) as connection:
        answer = connection.post("/organization/alerts/test", {})
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    alert = msgspec.json.decode(answer, type=RaisedAlert)
    print_note(f"Raised {alert.id}. The webhook gets it within seconds; the gateway's log says why if it does not.")


def _path(connection: Connection, project: str | None) -> str:
    scope = "" if project is None else f"/projects/{find_project(connection, project).id}"
    return f"/organization{scope}/spend_alerts"


def _scopes(connection: Connection, project: str | None) -> list[tuple[str, str]]:
    """One project, or all there is: name, and the path of its spend alerts."""
    if project is not None:
        chosen = [find_project(connection, project)]
    else:
        chosen = [each for each in all_projects(connection) if each.status == "active"]
    scopes = [] if project is not None else [("organization", "/organization/spend_alerts")]
    return scopes + [(each.name, f"/organization/projects/{each.id}/spend_alerts") for each in chosen]


def _alerts(connection: Connection, project: str | None) -> list[tuple[str, msgspec.Raw]]:
    """Spend alerts with the name of their scope."""
    return [(name, item) for name, path in _scopes(connection, project) for item in connection.items(path)]


def _find(connection: Connection, alert_id: str, project: str | None) -> tuple[str, SpendAlert]:
    """A spend alert and its path. Raises CommandFailed."""
    for _, path in _scopes(connection, project):
        for alert in decode_all(connection.items(path), SpendAlert):
            if alert.id == alert_id:
                return f"{path}/{alert.id}", alert
    raise CommandFailed(f"There is no spend alert '{alert_id}'.", ExitCode.REFUSED, "`gateway alerts list` shows all.")


def _dollars(alert: SpendAlert) -> str:
    return show_dollars(Decimal(alert.threshold_amount) / _CENTS_PER_DOLLAR)


def _row(scope: str, alert: SpendAlert) -> tuple[str, ...]:
    channel = alert.notification_channel
    recipients = ", ".join(channel.recipients) or "–"
    return alert.id, scope, _dollars(alert), alert.interval, recipients, channel.subject_prefix or "–"
