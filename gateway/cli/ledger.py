"""`gateway ledger`: single requests, what each used and cost, and its attempts."""

from typing import Annotated

import msgspec
import typer

from gateway.cli.connection import decode_all
from gateway.cli.output import Column, print_json, print_table, show_moment, show_nano
from gateway.cli.period import SINCE, parse_since
from gateway.cli.session import AsJson, connect, find_key, find_project
from gateway.cli.views import Attempt, Row

app = typer.Typer(no_args_is_help=True, help="The ledger: one row per request.")

_COLUMNS = (
    Column("CREATED (UTC)"),
    Column("ID"),
    Column("KEY", rank=5),
    Column("MODEL", rank=2),
    Column("IN", is_number=True, rank=3),
    Column("OUT", is_number=True, rank=4),
    Column("USD", is_number=True),
    Column("COUNT", rank=6),
    Column("END", rank=1),
)
_ATTEMPT_COLUMNS = (
    Column("ATTEMPT"),
    Column("MODEL"),
    Column("IN", is_number=True),
    Column("OUT", is_number=True),
    Column("USD", is_number=True),
    Column("COUNT"),
    Column("MS", is_number=True),
    Column("END"),
)


@app.command("list")
def list_rows(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="Only this project's (id or name).")] = None,
    key: Annotated[str | None, typer.Option(help="Only this key's (id or name).")] = None,
    since: Annotated[str | None, typer.Option(help=SINCE)] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List requests, newest first."""
    parameters: dict[str, str | int | list[str]] = {}
    if since is not None:
        parameters["start_time"] = parse_since(since)
    with connect(context) as connection:
        if project is not None:
            parameters["project_ids[]"] = [find_project(connection, project).id]
        if key is not None:
            parameters["api_key_ids[]"] = [find_key(connection, key, project, with_revoked=True).id]
        found = list(connection.items("/organization/ledger", parameters, limit))
    if as_json:
        print_json(found)
        return
    print_table(_COLUMNS, [_row_cells(row) for row in decode_all(iter(found), Row)])


@app.command("show")
def show_row(
    context: typer.Context,
    request_id: Annotated[str, typer.Argument(help="The request's id: the answer's header x-request-id.")],
    as_json: AsJson = False,
) -> None:
    """Show one request with its attempts."""
    with connect(context) as connection:
        answer = connection.get(f"/organization/ledger/{request_id}")
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    row = msgspec.json.decode(answer, type=Row)
    first = "–" if row.ttft_ms is None else row.ttft_ms
    facts = {
        "id": row.id,
        "created (UTC)": show_moment(row.created),
        "project": row.project_id,
        "key": row.api_key_id,
        "asked for": row.requested_model,
        "served by": row.model,
        "route": f"{row.route} ({row.reason})",
        "tags": ", ".join(f"{name}={value}" for name, value in sorted(row.tags.items())) or "–",
        "tokens": f"{row.prompt_tokens} in, {row.completion_tokens} out ({row.usage_source})",
        "cost": f"{show_nano(row.cost_nano)} USD (price: {row.price_source})",
        "neurons": "–" if row.neurons is None else f"{row.neurons:f} ({row.neurons_source})",
        "end": f"{row.end_reason}, status {row.status}",
        "time": f"{row.latency_ms} ms, {row.queued_ms} of them queued, first token after {first} ms",
    }
    print_table((Column(""), Column("")), list(facts.items()))
    typer.echo()
    print_table(_ATTEMPT_COLUMNS, [_attempt_cells(number, each) for number, each in enumerate(row.attempts, 1)])


def _row_cells(row: Row) -> tuple[str, ...]:
    return (
        show_moment(row.created),
        row.id,
        row.api_key_id,
        row.model,
        str(row.prompt_tokens),
        str(row.completion_tokens),
        show_nano(row.cost_nano),
        row.usage_source,
        row.end_reason,
    )


def _attempt_cells(number: int, attempt: Attempt) -> tuple[str, ...]:
    return (
        str(number),
        attempt.model,
        str(attempt.prompt_tokens),
        str(attempt.completion_tokens),
        show_nano(attempt.cost_nano),
        attempt.usage_source,
        str(attempt.latency_ms),
        attempt.end,
    )
