"""What the commands that talk to a running gateway share: the connection, and finding projects and keys."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
import typer

from gateway.cli.connection import Connection, decode_all
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import visible
from gateway.cli.place import Hints
from gateway.cli.views import Account, Key, Project

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's own JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

NamedT = TypeVar("NamedT", Account, Project)


def connect(context: typer.Context) -> Connection:
    """A client of the gateway that options and environment lead to. Raises CommandFailed."""
    return Connection(_hints(context).find())


def connect_as_client(context: typer.Context) -> Connection:
    """Likewise, with a virtual key. Raises CommandFailed."""
    return Connection(_hints(context).find_for_clients())


def _hints(context: typer.Context) -> Hints:
    hints = context.find_object(Hints)
    if hints is None:
        raise AssertionError("the root command sets the hints before any other runs")
    return hints


def all_projects(connection: Connection) -> list[Project]:
    """Every project, archived ones too."""
    return decode_all(connection.items("/organization/projects", {"include_archived": "true"}), Project)


def find_project(connection: Connection, name_or_id: str) -> Project:
    """The project with this id, or the only active one with this name. Raises CommandFailed."""
    usable = [each for each in all_projects(connection) if each.status == "active" or each.id == name_or_id]
    advice = "`gateway projects list` shows all; `gateway projects create NAME` makes one."
    return choose(usable, name_or_id, "project", advice)


def projects_meant(connection: Connection, project: str | None) -> list[Project]:
    """The one that is named, all where none is. Raises CommandFailed."""
    return [find_project(connection, project)] if project else all_projects(connection)


def choose(listed: Sequence[NamedT], name_or_id: str, noun: str, advice: str) -> NamedT:
    """The one with this id, or the only one with this name. Raises CommandFailed."""
    found = [each for each in listed if each.id == name_or_id] or [each for each in listed if each.name == name_or_id]
    if not found:
        raise CommandFailed(f"There is no {noun} '{name_or_id}'.", ExitCode.REFUSED, advice)
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise CommandFailed(f"Several {noun}s are named '{name_or_id}': {ids}.", ExitCode.USAGE, "Use the id.")
    return found[0]


def find_key(connection: Connection, name_or_id: str, project: str | None = None, *, with_revoked: bool = False) -> Key:
    """The key with this id, or the only one that is not revoked with this name, of one project or of any.

    Raises CommandFailed.
    """
    asked = {"include_revoked": "true" if with_revoked else "false"}
    named: list[Key] = []
    for each in projects_meant(connection, project):
        for key in decode_all(connection.items(keys_path(each.id), asked), Key):
            if key.id == name_or_id:
                return key
            if key.name == name_or_id and not key.revoked_at:
                named.append(key)
    if len(named) > 1:
        found = ", ".join(f"{key.id} (of {key.project_id})" for key in named)
        raise CommandFailed(
            f"Several keys are named '{name_or_id}': {found}.", ExitCode.USAGE, "Use the id, or say --project."
        )
    if not named:
        raise CommandFailed(
            f"There is no key '{name_or_id}' that could be used.",
            ExitCode.REFUSED,
            "`gateway keys list --revoked` shows all, with their ids.",
        )
    return named[0]


def keys_path(project_id: str) -> str:
    """Where a project's keys are."""
    return f"/organization/projects/{project_id}/api_keys"


def accounts_path(project_id: str) -> str:
    """Where a project's service accounts are."""
    return f"/organization/projects/{project_id}/service_accounts"


def account_named(connection: Connection, project_id: str, name_or_id: str) -> Account:
    """The service account with this id or name; made where there is none of this name."""
    path = accounts_path(project_id)
    accounts = decode_all(connection.items(path), Account)
    for found in (each for each in accounts if name_or_id in (each.id, each.name)):
        return found
    body = {"name": name_or_id, "create_service_account_only": True}
    return msgspec.json.decode(connection.post(path, body), type=Account)


def confirm(question: str, yes: bool) -> None:
    """Ask before something that cannot be undone, unless told not to. Raises typer.Abort."""
    if not yes:
        typer.confirm(visible(question), abort=True, err=True)
