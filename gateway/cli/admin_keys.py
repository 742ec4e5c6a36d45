"""`gateway admin-keys`: keys of the admin API, made, listed, revoked. A secret is printed once, alone on stdout."""

from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from gateway.cli.connection import decode_all
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table, show_moment
from gateway.cli.session import AsJson, Yes, all_projects, confirm, connect, find_project
from gateway.cli.views import AdminKey, IssuedKey

app = typer.Typer(no_args_is_help=True, help="Admin keys: who may administer the gateway, or one project of it.")

_COLUMNS = (
    Column("ID"),
    Column("NAME"),
    Column("KEY"),
    Column("ROLE"),
    Column("SCOPE"),
    Column("EXPIRES (UTC)"),
    Column("CREATED (UTC)"),
    Column("LAST USED (UTC)"),
)
_PATH = "/organization/admin_api_keys"
_SECONDS_PER_DAY = 86400
_MAX_DAYS = 365


class Role(StrEnum):
    """What an admin key may do."""

    ADMIN = "admin"
    VIEWER = "viewer"


@app.command("create")
def create_admin_key(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Whose it is: a person, a program.")],
    role: Annotated[Role, typer.Option(help="A viewer reads and changes nothing.")] = Role.ADMIN,
    project: Annotated[str | None, typer.Option(help="Id or name: for this project only; else for all.")] = None,
    expires_days: Annotated[int | None, typer.Option(min=1, max=_MAX_DAYS, help="Stop after so many days.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an admin key. It is shown once and stored nowhere."""
    body: dict[str, object] = {"name": name, "role": role.value}
    if expires_days is not None:
        body["expires_in_seconds"] = expires_days * _SECONDS_PER_DAY
    with connect(context) as connection:
        if project is not None:
            body["scope"] = f"project:{find_project(connection, project).id}"
        answer = connection.post(_PATH, body)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    issued = msgspec.json.decode(answer, type=IssuedKey)
    print_note(f"Admin key {issued.id}. It is shown this once; keep it safe:")
    typer.echo(issued.value)


@app.command("list")
def list_admin_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List the admin keys, never their secrets. The root key of the configuration is not among them."""
    with connect(context) as connection:
        found = list(connection.items(_PATH))
        if as_json:
            print_json(found)
            return
        names = {f"project:{each.id}": f"project {each.name}" for each in all_projects(connection)}
    print_table(_COLUMNS, [_row(key, names) for key in decode_all(iter(found), AdminKey)])


@app.command("revoke")
def revoke_admin_key(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id, as `gateway admin-keys list` shows it.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke an admin key: it opens nothing any more. This cannot be undone."""
    with connect(context) as connection:
        found = [each for each in decode_all(connection.items(_PATH), AdminKey) if each.id == key_id]
        if not found:
            raise CommandFailed(
                f"There is no admin key '{key_id}'.", ExitCode.REFUSED, "`gateway admin-keys list` shows all."
            )
        confirm(f"Revoke admin key {found[0].name} ({found[0].redacted_value}, {key_id}), for good?", yes)
        answer = connection.delete(f"{_PATH}/{key_id}")
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"Admin key {found[0].name} ({found[0].redacted_value}) is revoked.")


def _row(key: AdminKey, names: dict[str, str]) -> tuple[str, ...]:
    return (
        key.id,
        key.name,
        key.redacted_value,
        key.role,
        names.get(key.scope, key.scope),
        show_moment(key.expires_at),
        show_moment(key.created_at),
        show_moment(key.last_used_at),
    )
