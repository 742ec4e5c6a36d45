"""`gateway explain FILE`: what a running gateway would do with a request, as a table for people."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table, show_dollars
from gateway.cli.session import AsJson, connect_as_client

_COLUMNS = (
    Column("MODEL"),
    Column("PLACE"),
    Column("EXPECTED USD", is_number=True),
    Column("AT MOST USD", is_number=True),
    Column("MAX TOKENS", is_number=True),
    Column("WHY"),
)
_DOUBTS = {
    "deprecated": "; past its deprecation date, so behind the others",
    "content_chars": "; a message is longer than its published limit, so behind the others",
}


class _Candidate(msgspec.Struct):
    model: str
    reason: str
    max_tokens: int
    expected_cost_usd: Decimal
    maximum_cost_usd: Decimal
    doubt: str | None


class _Excluded(msgspec.Struct):
    model: str
    reason: str


class _Hold(msgspec.Struct):
    tokens: int
    cost_usd: Decimal


class _Explanation(msgspec.Struct):
    route: str
    policy: str
    choices: int
    prompt_tokens: int
    hold: _Hold
    candidates: list[_Candidate]
    excluded: list[_Excluded]


def explain_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The body of a chat completion, JSON; - reads stdin.")],
    as_json: AsJson = False,
) -> None:
    """Show which models would be tried for a request, in which order, why, and for how much. Asks no model."""
    body = _read(file)
    _refuse_other_than_json(file, body)
    with connect_as_client(context) as connection:
        answer = connection.post_text("/explain", body)
    if as_json:
        print_json(msgspec.Raw(answer))
        return
    found = msgspec.json.decode(answer, type=_Explanation)
    rows = [_row(place, candidate) for place, candidate in enumerate(found.candidates, 1)]
    print_table(_COLUMNS, rows + [(each.model, "–", "", "", "", each.reason) for each in found.excluded])
    times = "" if found.choices == 1 else f", {found.choices} times"
    print_note(
        f"{found.prompt_tokens} prompt tokens{times}, route {found.route} ({found.policy}); "
        f"would hold {found.hold.tokens} tokens and ${show_dollars(found.hold.cost_usd)}."
    )


def _row(place: int, candidate: _Candidate) -> tuple[str, ...]:
    return (
        candidate.model,
        str(place),
        show_dollars(candidate.expected_cost_usd),
        show_dollars(candidate.maximum_cost_usd),
        str(candidate.max_tokens),
        candidate.reason + _DOUBTS.get(candidate.doubt or "", ""),
    )


def _refuse_other_than_json(file: Path, body: bytes) -> None:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        name = "stdin" if str(file) == "-" else file
        raise CommandFailed(f"{name} is not JSON: {error}.", ExitCode.USAGE) from error


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"Cannot read {file}: {error.strerror}.", ExitCode.USAGE) from error
