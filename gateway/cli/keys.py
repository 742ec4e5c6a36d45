"""`gateway keys`: virtual keys, issued, listed, revoked. A secret is printed once, alone on stdout, when it is made."""

from typing import Annotated

import msgspec
import typer

from gateway.cli.connection import Connection, decode_all
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table, show_moment
from gateway.cli.session import AsJson, Yes, all_projects, confirm, connect, find_project
from gateway.cli.views import Key, NewAccount, Project

app = typer.Typer(no_args_is_help=True, help="Virtual keys: what clients put where an OpenAI key goes.")

_COLUMNS = (
    Column("ID"),
    Column("NAME"),
    Column("KEY"),
    Column("PROJECT"),
    Column("STATUS"),
    Column("CREATED (UTC)"),
    Column("LAST USED (UTC)"),
)
_SECONDS_PER_DAY = 86400
_MAX_DAYS = 365


@app.command("create")
def create_key(
    context: typer.Context,
    project: Annotated[str, typer.Option(help="Id or name of the project that pays.")],
    name: Annotated[str, typer.Option(help="Who will use it: a program, a person.")],
    expires_days: Annotated[int | None, typer.Option(min=1, max=_MAX_DAYS, help="Stop after so many days.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once and stored nowhere."""
    with connect(context) as connection:
        found = find_project(connection, project)
        seconds = None if expires_days is None else expires_days * _SECONDS_PER_DAY
        answer = connection.post(
            f"/organization/projects/{found.id}/service_accounts", {"name": name, "expires_in_seconds": seconds}
        )
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    issued = msgspec.json.decode(answer, type=NewAccount).api_key
    print_note(f"Key {issued.id} of project {found.name}. It is shown this once; keep it safe:")
    typer.echo(issued.value)


@app.command("list")
def list_keys(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="Id or name; else all projects.")] = None,
    revoked: Annotated[bool, typer.Option("--revoked", help="Revoked keys, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the keys, never their secrets."""
    with connect(context) as connection:
        projects = [find_project(connection, project)] if project else all_projects(connection)
        parameters = {"include_revoked": "true" if revoked else "false"}
        found = [item for each in projects for item in connection.items(_keys_of(each), parameters)]
    if as_json:
        print_json(found)
        return
    names = {each.id: each.name for each in projects}
    rows = [_row(key, names[key.project_id]) for key in decode_all(iter(found), Key)]
    print_table(_COLUMNS, rows)


@app.command("revoke")
def revoke_key(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id, as `gateway keys list` shows it.")],
    project: Annotated[str | None, typer.Option(help="Id or name; else it is looked for in all.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a key: its next request is refused. This cannot be undone."""
    with connect(context) as connection:
        projects = [find_project(connection, project)] if project else all_projects(connection)
        key = _find_key(connection, projects, key_id)
        confirm(f"Revoke key {key.name} ({key.redacted_value}, {key.id}), for good?", yes)
        answer = connection.delete(f"/organization/projects/{key.project_id}/api_keys/{key.id}")
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"Key {key.name} ({key.redacted_value}) is revoked.")


def _find_key(connection: Connection, projects: list[Project], key_id: str) -> Key:
    for project in projects:
        for key in decode_all(connection.items(_keys_of(project)), Key):
            if key.id == key_id:
                return key
    raise CommandFailed(
        f"There is no key '{key_id}' that could be revoked.",
        ExitCode.REFUSED,
        "`gateway keys list --revoked` shows all, with their ids.",
    )


def _keys_of(project: Project) -> str:
    return f"/organization/projects/{project.id}/api_keys"


def _row(key: Key, project_name: str) -> tuple[str, ...]:
    status = "revoked" if key.revoked_at else "active"
    if status == "active" and key.expires_at:
        status = f"until {show_moment(key.expires_at)}"
    return (
        key.id,
        key.name,
        key.redacted_value,
        project_name,
        status,
        show_moment(key.created_at),
        show_moment(key.last_used_at),
    )
