"""`gateway service-accounts`: the owners of keys, made, listed, renamed, deleted with all their keys."""

from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.connection import Connection
from gateway.cli.output import Column, print_json, print_note, print_table, show_moment
from gateway.cli.session import AsJson, Yes, accounts_path, choose, confirm, connect, find_project, projects_meant
from gateway.cli.views import Account, Project

app = typer.Typer(no_args_is_help=True, help="Service accounts: who owns keys, a program or a person.")

_COLUMNS: Final = (Column("ID"), Column("NAME"), Column("PROJECT"), Column("CREATED (UTC)"))

AccountNamed = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id or name.")]
OfProject = Annotated[str | None, typer.Option(help="Id or name; else it is looked for in all.")]


class _Account(Account, kw_only=True):
    created_at: int


@app.command("create")
def create_account(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A program, a person.")],
    project: Annotated[str, typer.Option(help="Id or name of the project that pays.")],
    as_json: AsJson = False,
) -> None:
    """Make a service account without a key. Prints its id.

    Example: gateway service-accounts create alice --project search
    """
    with connect(context) as connection:
        path = accounts_path(find_project(connection, project).id)
        answer = connection.post(path, {"name": name, "create_service_account_only": True})
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    typer.echo(msgspec.json.decode(answer, type=Account).id)
    print_note(f"Next: gateway keys create --project {project} --name NAME owner={name}")


@app.command("list")
def list_accounts(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="Id or name; else all projects.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the service accounts."""
    with connect(context) as connection:
        found = _accounts(connection, project)
    if as_json:
        print_json([raw for _, raw in found])
        return
    accounts = [(each.name, msgspec.json.decode(raw, type=_Account)) for each, raw in found]
    print_table(_COLUMNS, [(one.id, one.name, owner, show_moment(one.created_at)) for owner, one in accounts])


@app.command("rename")
def rename_account(
    context: typer.Context,
    account_named: AccountNamed,
    name: Annotated[str, typer.Argument(help="The new name.")],
    project: OfProject = None,
    as_json: AsJson = False,
) -> None:
    """Give a service account another name."""
    with connect(context) as connection:
        owner, account = _find(connection, account_named, project)
        answer = connection.post(f"{accounts_path(owner.id)}/{account.id}", {"name": name})
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"The service account {account.name} is called {name} now.")


@app.command("delete")
def delete_account(
    context: typer.Context,
    account_named: AccountNamed,
    project: OfProject = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a service account and revoke all its keys. This cannot be undone."""
    with connect(context) as connection:
        owner, account = _find(connection, account_named, project)
        confirm(f"Delete service account {account.name} ({account.id}) and revoke all its keys, for good?", yes)
        answer = connection.delete(f"{accounts_path(owner.id)}/{account.id}")
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"The service account {account.name} is deleted, its keys are revoked.")


def _accounts(connection: Connection, project: str | None) -> list[tuple[Project, msgspec.Raw]]:
    projects = projects_meant(connection, project)
    return [(each, item) for each in projects for item in connection.items(accounts_path(each.id))]


def _find(connection: Connection, name_or_id: str, project: str | None) -> tuple[Project, Account]:
    """The account with this id, or the only one with this name. Raises CommandFailed."""
    listed = [(owner, msgspec.json.decode(raw, type=Account)) for owner, raw in _accounts(connection, project)]
    advice = "`gateway service-accounts list` shows all, with their ids."
    chosen = choose([account for _, account in listed], name_or_id, "service account", advice)
    return next(each for each in listed if each[1] is chosen)
