"""`gateway keys`: virtual keys, from issue to revocation. A secret is printed once, alone on stdout, when made."""

from typing import Annotated

import msgspec
import typer

from gateway.cli.assignments import complete_assignment, explain_assignments, read_assignments, read_duration
from gateway.cli.connection import Connection, decode_all
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.limit_kinds import print_limits
from gateway.cli.output import Column, print_json, print_note, print_table, show_moment
from gateway.cli.period import now
from gateway.cli.rules_table import print_rules
from gateway.cli.session import (
    AsJson,
    Yes,
    account_named,
    accounts_path,
    confirm,
    connect,
    find_key,
    find_project,
    keys_path,
    projects_meant,
)
from gateway.cli.views import IssuedKey, Key, NewAccount, Project

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

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Id or name.")]
OfProject = Annotated[str | None, typer.Option(help="Id or name; else it is looked for in all.")]
Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="SETTING...", help=explain_assignments(), autocompletion=complete_assignment),
]


@app.command("create")
def create_key(
    context: typer.Context,
    project: Annotated[str, typer.Option(help="Id or name of the project that pays.")],
    name: Annotated[str, typer.Option(help="Who will use it: a program, a person.")],
    expires_days: Annotated[int | None, typer.Option(min=1, max=_MAX_DAYS, help="Stop after so many days.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, with limits and rules of its own. It is shown once and stored nowhere."""
    body = {"name": name, **read_assignments(settings or (), now())}
    if expires_days is not None:
        body["expires_in_seconds"] = expires_days * _SECONDS_PER_DAY
    owner = body.pop("owner", None)
    with connect(context) as connection:
        found = find_project(connection, project)
        if owner is None:
            answer = connection.post(accounts_path(found.id), body)
        else:
            account = account_named(connection, found.id, str(owner))
            answer = connection.post(f"{accounts_path(found.id)}/{account.id}/api_keys", body)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    issued = msgspec.json.decode(answer, type=NewAccount).api_key if owner is None else _issued(answer)
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
        projects = projects_meant(connection, project)
        parameters = {"include_revoked": "true" if revoked else "false"}
        found = [item for each in projects for item in connection.items(keys_path(each.id), parameters)]
    if as_json:
        print_json(found)
        return
    names = {each.id: each.name for each in projects}
    rows = [_row(key, names[key.project_id]) for key in decode_all(iter(found), Key)]
    print_table(_COLUMNS, rows)


@app.command("show")
def show_key(context: typer.Context, key_id: KeyId, project: OfProject = None, as_json: AsJson = False) -> None:
    """Show a key: its limits with what is left of each, and the rules that apply to it with who says so."""
    with connect(context) as connection:
        key = find_key(connection, key_id, project, with_revoked=True)
        path = f"{keys_path(key.project_id)}/{key.id}"
        if as_json:
            print_json(msgspec.Raw(connection.get(path, {"include_revoked": "true"})))
            return
        owner = msgspec.json.decode(connection.get(f"/organization/projects/{key.project_id}"), type=Project)
        limits = None if key.revoked_at else connection.get(f"{path}/limits")
    print_table(_COLUMNS, [_row(key, owner.name)])
    typer.echo()
    if limits is not None:
        print_limits(limits)
        typer.echo()
    print_rules(("key", key), ("project", owner))


@app.command("update")
def update_key(
    context: typer.Context,
    key_id: KeyId,
    settings: Annotated[
        list[str],
        typer.Argument(metavar="SETTING...", help=explain_assignments(), autocompletion=complete_assignment),
    ],
    project: OfProject = None,
    as_json: AsJson = False,
) -> None:
    """Change a key: name, owner, end, limits, rules. It holds from the next request on."""
    body = read_assignments(settings, now())
    with connect(context) as connection:
        key = find_key(connection, key_id, project)
        answer = connection.change(f"{keys_path(key.project_id)}/{key.id}", body)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"Key {key.name} ({key.redacted_value}) is changed. `gateway keys show {key.id}` shows it.")


@app.command("rotate")
def rotate_key(
    context: typer.Context,
    key_id: KeyId,
    grace: Annotated[str, typer.Option(help="How long the old secret is good: 24h, 7d, 0h.")] = "24h",
    project: OfProject = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret, shown once. The old one ends after the grace period, without any other change."""
    seconds = read_duration(grace, "--grace")
    with connect(context) as connection:
        key = find_key(connection, key_id, project)
        confirm(f"Rotate key {key.name} ({key.redacted_value}, {key.id}); the old secret ends in {grace}?", yes)
        answer = connection.post(f"{keys_path(key.project_id)}/{key.id}/rotate", {"grace_seconds": seconds})
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    issued = msgspec.json.decode(answer, type=IssuedKey)
    ends = "is over" if issued.previous_valid_until is None else f"ends {show_moment(issued.previous_valid_until)} UTC"
    print_note(f"The new secret of key {key.name} is shown this once; keep it safe. The old one {ends}.")
    typer.echo(issued.value)


@app.command("disable")
def disable_key(
    context: typer.Context, key_id: KeyId, project: OfProject = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Disable a key: its next request is refused, until it is enabled again."""
    with connect(context) as connection:
        key = find_key(connection, key_id, project)
        confirm(f"Disable key {key.name} ({key.redacted_value}, {key.id})?", yes)
        _switch(connection, key, disabled=True, as_json=as_json)


@app.command("enable")
def enable_key(context: typer.Context, key_id: KeyId, project: OfProject = None, as_json: AsJson = False) -> None:
    """Enable a disabled key again."""
    with connect(context) as connection:
        _switch(connection, find_key(connection, key_id, project), disabled=False, as_json=as_json)


@app.command("revoke")
def revoke_key(
    context: typer.Context,
    key_id: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Id or name.")] = None,
    project: OfProject = None,
    owner: Annotated[str | None, typer.Option(help="Instead: all keys of this service account, id or name.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a key, or all keys of an owner: their next request is refused. This cannot be undone."""
    if (key_id is None) == (owner is None):
        raise typer.BadParameter("name either a key or an owner", param_hint="KEY or --owner")
    with connect(context) as connection:
        if key_id is not None:
            keys = [find_key(connection, key_id, project)]
        else:
            keys = _keys_of_owner(connection, str(owner), project)
        named = ", ".join(f"{key.name} ({key.redacted_value}, {key.id})" for key in keys)
        confirm(f"Revoke key {named}, for good?", yes)
        answers = [connection.delete(f"{keys_path(key.project_id)}/{key.id}") for key in keys]
    if as_json:
        print_json(msgspec.Raw(answers[0]) if key_id is not None else [msgspec.Raw(answer) for answer in answers])
        return
    for key in keys:
        print_note(f"Key {key.name} ({key.redacted_value}) is revoked.")


def _is_owner(key: Key, name_or_id: str) -> bool:
    account = key.owner.service_account
    return account is not None and name_or_id in (account.id, account.name)


def _keys_of_owner(connection: Connection, owner: str, project: str | None) -> list[Key]:
    """Every key that is not revoked of the service accounts with this name or id. Raises CommandFailed."""
    projects = projects_meant(connection, project)
    listed = [key for each in projects for key in decode_all(connection.items(keys_path(each.id)), Key)]
    found = [key for key in listed if _is_owner(key, owner)]
    if not found:
        raise CommandFailed(
            f"Nobody called '{owner}' has a key that could be revoked.",
            ExitCode.REFUSED,
            "`gateway keys show KEY` names a key's owner.",
        )
    return found


def _switch(connection: Connection, key: Key, *, disabled: bool, as_json: bool) -> None:
    answer = connection.post(f"{keys_path(key.project_id)}/{key.id}", {"disabled": disabled})
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"Key {key.name} ({key.redacted_value}) is {'disabled' if disabled else 'enabled'}.")


def _issued(answer: bytes) -> IssuedKey:
    return msgspec.json.decode(answer, type=IssuedKey)


def _row(key: Key, project_name: str) -> tuple[str, ...]:
    status = "revoked" if key.revoked_at else "disabled" if key.disabled else "active"
    if status == "active" and key.expires_at:
        status = f"{'until' if key.expires_at > now() else 'expired'} {show_moment(key.expires_at)}"
    return (
        key.id,
        key.name,
        key.redacted_value,
        project_name,
        status,
        show_moment(key.created_at),
        show_moment(key.last_used_at),
    )
