"""`gateway projects`: a team's share of the account, made, listed, archived."""

from typing import Annotated

import msgspec
import typer

from gateway.cli.connection import decode_all
from gateway.cli.output import Column, print_json, print_note, print_table, show_moment
from gateway.cli.session import AsJson, Yes, confirm, connect, find_project
from gateway.cli.views import Project

app = typer.Typer(no_args_is_help=True, help="Projects: a team's share of the account.")

_COLUMNS = (Column("ID"), Column("NAME"), Column("STATUS"), Column("CREATED (UTC)"))


@app.command("create")
def create_project(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name for reports.")],
    as_json: AsJson = False,
) -> None:
    """Make a project. Prints its id."""
    with connect(context) as connection:
        answer = connection.post("/organization/projects", {"name": name})
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
    rows = [
        (each.id, each.name, each.status, show_moment(each.created_at)) for each in decode_all(iter(found), Project)
    ]
    print_table(_COLUMNS, rows)


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
