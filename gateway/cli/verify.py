"""`gateway verify`: whether rows, roll-ups, counters and holds agree; `--repair` rebuilds from the rows."""

from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import typer

from gateway.cli.connection import Connection
from gateway.cli.failure import ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table, show_count, show_moment
from gateway.cli.period import SINCE, parse_since
from gateway.cli.session import AsJson, Yes, confirm, connect
from gateway.cli.stretch import ProgressBar

_COLUMNS = (
    Column("CHECK"),
    Column("PLACE"),
    Column("FIELD"),
    Column("SHOULD BE"),
    Column("WAS"),
)
_PATH = "/organization/verify"


class Finding(msgspec.Struct):
    """A place where the books do not agree."""

    check: str
    place: str
    subject: str
    expected: list[int]
    found: list[int]


class _Portion(msgspec.Struct):
    position: int
    until: int
    rows: int
    hours: int
    moving: int
    waiting: int
    findings: list[Finding]
    repaired: list[Finding]
    drift: int
    verified_at: int | None
    next_page: str | None


@dataclass(slots=True)
class Result:
    """Everything the portions said together."""

    rows: int = 0
    hours: int = 0
    moving: int = 0
    waiting: int = 0
    verified_at: int | None = None
    findings: list[Finding] = field(default_factory=list)
    repaired: list[Finding] = field(default_factory=list)

    def add(self, portion: _Portion) -> None:
        """Count one portion in."""
        self.rows += portion.rows
        self.hours += portion.hours
        self.moving += portion.moving
        self.waiting += portion.waiting
        self.verified_at = portion.verified_at
        self.findings += portion.findings
        self.repaired += portion.repaired


def verify_books(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help=f"Rows since {SINCE} Else all.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild roll-ups and counters from the rows.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Check that rows, roll-ups, counters and holds agree. Exit code 1 where they do not."""
    start = None if since is None else parse_since(since)
    if repair:
        confirm("Rebuild what does not follow from the rows? Budgets count again by what the rows say.", yes)
    with connect(context) as connection:
        result = _go_through(connection, start, repair)
    if as_json:
        print_json(result)
    else:
        _print(result)
    if result.findings:
        raise typer.Exit(ExitCode.REFUSED)


def _go_through(connection: Connection, start: int | None, repair: bool) -> Result:
    result = Result()
    page: str | None = None
    first: int | None = start
    with ProgressBar("Verifying") as bar:
        while True:
            portion = msgspec.json.decode(_ask(connection, start, page, repair), type=_Portion)
            result.add(portion)
            first = portion.position if first is None else first
            bar.advance(portion.position - first, portion.until - first, portion.rows)
            page = portion.next_page
            if page is None:
                return result


def _ask(connection: Connection, start: int | None, page: str | None, repair: bool) -> bytes:
    if repair:
        return connection.post(_PATH, {"start_time": start, "page": page, "repair": True})
    given: dict[str, str | int] = {} if start is None else {"start_time": start}
    return connection.get(_PATH, {**given, **({"page": page} if page else {})})


def _print(result: Result) -> None:
    typer.echo(f"{show_count(result.rows, 'row')} in {show_count(result.hours, 'hour')} looked at.")
    if result.waiting:
        typer.echo(f"{result.waiting} differences are receipts on their way from a spool.")
    if result.moving:
        typer.echo(f"{result.moving} sums were being booked into; ask again to compare them.")
    for title, found in (("repaired", result.repaired), ("not in agreement", result.findings)):
        if found:
            typer.echo(f"\n{len(found)} {title}:\n")
            print_table(_COLUMNS, [_cells(each) for each in found])
    if not result.findings:
        typer.echo("The books agree." if not result.repaired else "The books agree now.")
    if result.verified_at:
        print_note(f"The continuous check last found nothing at {show_moment(result.verified_at)} UTC.")


def _cells(finding: Finding) -> tuple[str, ...]:
    return (
        finding.check,
        finding.place,
        finding.subject,
        " ".join(map(str, finding.expected)),
        " ".join(map(str, finding.found)),
    )
