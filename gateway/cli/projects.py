"""`gateway projects`: a team's share of the account, made, listed, shown, altered, archived."""

from typing import Annotated

import msgspec
import typer

from gateway.cli.assignments import complete_assignment, explain_assignments, read_assignments
from gateway.cli.connection import decode_all
from gateway.cli.limit_kinds import print_limits
from gateway.cli.output import Column, print_json, print_note, print_table, show_moment
from gateway.cli.period import now
from gateway.cli.rules_table import print_rules
from gateway.cli.session import AsJson, Yes, all_projects, confirm, connect, find_project
from gateway.cli.views import Project

app = typer.Typer(no_args_is_help=True, help="Projects: a team's share of the account.")

_COLUMNS = (Column("ID"), Column("NAME"), Column("STATUS"), Column("CREATED (UTC)"))


_SETTINGS_HELP = explain_assignments(of_project=True)


@app.command("create")
def create_project(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A name for reports.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="SETTING...", help=_SETTINGS_HELP, autocompletion=complete_assignment),
    ] = None,
    named: Annotated[str | None, typer.Option("--name", help="The name, instead of in its place.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a project, with limits and rules of its own. Prints its id."""
    words = [each for each in (named, name, *(settings or ())) if each is not None]
    if not words:
        raise typer.BadParameter("say how it is called", param_hint="NAME or --name")
    body = {"name": words[0], **read_assignments(words[1:], now(), of_project=True)}
    with connect(context) as connection:
        twins = [each.id for each in all_projects(connection) if (each.name, each.status) == (words[0], "active")]
        answer = connection.post("/organization/projects", body)
    if twins:  # as with OpenAI
        print_note(
            f"Note: {', '.join(twins)} is called '{words[0]}', too. Only their ids tell them apart now, and "
            "`gateway apply` refuses files that name them. `gateway projects update ID name=…` renames one."
        )
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    project = msgspec.json.decode(answer, type=Project)
    typer.echo(project.id)
    print_note(f"Next: gateway keys create --project {project.id} --name NAME")


@app.command("list")
def list_projects(
    context: typer.Context,
    archived: Annotated[bool, typer.Option("--archived", help="Archived projects, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the projects."""
    with connect(context) as connection:
        flag = "true" if archived else "false"
        found = list(connection.items("/organization/projects", {"include_archived": flag}))
    if as_json:
        print_json(found)
        return
    print_table(_COLUMNS, [_row(each) for each in decode_all(iter(found), Project)])


@app.command("show")
def show_project(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="Id or name.")],
    as_json: AsJson = False,
) -> None:
    """Show a project: its limits with what is left of each, and its rules."""
    with connect(context) as connection:
        found = find_project(connection, project)
        path = f"/organization/projects/{found.id}"
        if as_json:
            print_json(msgspec.Raw(connection.get(path)))
            return
        limits = connection.get(f"{path}/limits")
    print_table(_COLUMNS, [_row(found)])
    typer.echo()
    print_limits(limits)
    typer.echo()
    print_rules(("project", found))


@app.command("update")
def update_project(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="Id or name.")],
    settings: Annotated[
        list[str],
        typer.Argument(metavar="SETTING...", help=_SETTINGS_HELP, autocompletion=complete_assignment),
    ],
    as_json: AsJson = False,
) -> None:
    """Change a project: name, limits, rules. It holds from the next request of any of its keys on."""
    body = read_assignments(settings, now(), of_project=True)
    with connect(context) as connection:
        found = find_project(connection, project)
        answer = connection.change(f"/organization/projects/{found.id}", body)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    name = msgspec.json.decode(answer, type=Project).name
    print_note(f"Project {name} ({found.id}) is changed. `gateway projects show {found.id}` shows it.")


@app.command("archive")
def archive_project(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="Id or name.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Archive a project: none of its keys works any more. This cannot be undone."""
    with connect(context) as connection:
        found = find_project(connection, project)
        confirm(f"Archive project {found.name} ({found.id}) and stop all its keys, for good?", yes)
        answer = connection.post(f"/organization/projects/{found.id}/archive", {})
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    print_note(f"Project {found.name} ({found.id}) is archived.")


def _row(project: Project) -> tuple[str, ...]:
    return project.id, project.name, project.status, show_moment(project.created_at)
