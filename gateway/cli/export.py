"""`gateway export`: ledger rows as JSON lines, CSV or FOCUS, page by page, newest first, to a file or to stdout.

Beside an output file that is not finished lies `<file>.part`: where the export stands, written after every page. With
`--resume` the file is cut back to that place and goes on; nothing is exported twice and nothing left out.
"""

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, BinaryIO

import msgspec
import typer

from gateway.cli import focus
from gateway.cli.connection import Connection
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import print_note, show_count
from gateway.cli.period import SINCE, UNTIL, now, parse_since, parse_until
from gateway.cli.place import Hints
from gateway.cli.session import all_projects, connect
from gateway.cli.stretch import ProgressBar
from gateway.cli.views import LedgerRow

_PAGE = 1000
_CSV_COLUMNS = (
    "id", "created_ms", "project_id", "api_key_id", "surface", "requested_model", "route", "reason", "model",
    "prompt_tokens", "completion_tokens", "cached_tokens", "cost_nano", "neurons", "neurons_source", "usage_source",
    "price_source", "end_reason", "status", "stream", "latency_ms", "ttft_ms", "upstream", "attempts", "tags",
    "queued_ms",
)  # fmt: skip

_encode = msgspec.json.Encoder(order="sorted").encode
_decode_row = msgspec.json.Decoder(LedgerRow).decode


class Form(StrEnum):
    """How rows are written."""

    JSONL = "jsonl"
    CSV = "csv"
    FOCUS = "focus"


class Standing(msgspec.Struct):
    """What is exported and how far. Times are unix seconds, `size` bytes of the output file."""

    since: int
    until: int
    form: str
    account: str
    page: str | None = None
    size: int = 0


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    next_page: str | None


def export_rows(
    context: typer.Context,
    since: Annotated[str, typer.Option(help=SINCE)] = "7d",
    until: Annotated[str | None, typer.Option(help=UNTIL)] = None,
    form: Annotated[Form, typer.Option("--format", help="How rows are written.")] = Form.JSONL,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A new file; else stdout.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an output file that was cut short.")] = False,
) -> None:
    """Write ledger rows, newest first."""
    asked = Standing(parse_since(since), now() if until is None else parse_until(until), form, _account(context))
    with connect(context) as connection:
        if output is None:
            if resume:
                raise CommandFailed("--resume needs --output: the file to go on with.", ExitCode.USAGE)
            _export(connection, asked, typer.get_binary_stream("stdout"), lambda standing: None)
            return
        _export_to_file(connection, asked, output, resume)


def _account(context: typer.Context) -> str:
    """Who is billed, for the FOCUS columns."""
    hints = context.find_object(Hints)
    return (hints.environ.get("CLOUDFLARE_ACCOUNT_ID", "") if hints else "") or "workers-ai"


def _export_to_file(connection: Connection, asked: Standing, output: Path, resume: bool) -> None:
    part = output.with_name(output.name + ".part")
    standing = _resumed(asked, output, part) if resume else asked
    if not resume and output.exists():
        advice = "Go on with it by --resume." if part.exists() else "Choose another name."
        raise CommandFailed(f"{output} is there already.", ExitCode.USAGE, advice)
    with output.open("r+b" if resume else "xb") as file:
        file.truncate(standing.size)
        file.seek(standing.size)

        def keep(reached: Standing) -> None:
            file.flush()
            os.fsync(file.fileno())
            fresh = part.with_name(part.name + ".new")
            fresh.write_bytes(_encode(reached))
            fresh.replace(part)

        keep(standing)
        _export(connection, standing, file, keep)
    part.unlink()


def _resumed(asked: Standing, output: Path, part: Path) -> Standing:
    """Where the file stands. What it is of was decided when it was begun."""
    if not (part.is_file() and output.is_file()):
        state = "is complete" if output.is_file() else "is not there"
        raise CommandFailed(f"There is nothing to go on with: {output} {state}.", ExitCode.USAGE)
    found = msgspec.json.decode(part.read_bytes(), type=Standing)
    if (found.form, found.account, found.since) != (asked.form, asked.account, asked.since):
        raise CommandFailed(
            f"{output} was begun with other options: --format {found.form}, from {found.since} (unix seconds).",
            ExitCode.USAGE,
        )
    return found


def _export(connection: Connection, standing: Standing, file: BinaryIO, keep: Callable[[Standing], None]) -> None:
    write = _writer(connection, standing)
    count = 0
    if not standing.size:
        _put(standing, file, _HEADINGS[Form(standing.form)])
    with ProgressBar("Exporting") as bar:
        while True:
            page = _read_page(connection, standing)
            _put(standing, file, write(page.data))
            count += len(page.data)
            standing.page = page.next_page
            if page.next_page is None:
                break
            keep(standing)
            bar.advance(standing.until - _created(page.next_page), standing.until - standing.since, len(page.data))
    file.flush()
    print_note(f"{show_count(count, 'row')} exported.")


def _put(standing: Standing, file: BinaryIO, content: bytes) -> None:
    file.write(content)
    standing.size += len(content)


def _read_page(connection: Connection, standing: Standing) -> _Page:
    asked: dict[str, str | int] = {"start_time": standing.since, "end_time": standing.until, "limit": _PAGE}
    if standing.page is not None:
        asked["page"] = standing.page
    return msgspec.json.decode(connection.get("/organization/ledger", asked), type=_Page)


def _created(cursor: str) -> int:
    """Unix seconds of the row a page ended with: a cursor begins with its milliseconds."""
    return int(cursor.partition("_")[0]) // 1000


Write = Callable[[Sequence[msgspec.Raw]], bytes]


def _writer(connection: Connection, standing: Standing) -> Write:
    if standing.form == Form.JSONL:
        return _jsonl
    if standing.form == Form.CSV:
        return _csv
    projects = {project.id: project.name for project in all_projects(connection)}
    account = focus.Account(standing.account, projects)
    return lambda rows: _focus(rows, account)


def _jsonl(rows: Sequence[msgspec.Raw]) -> bytes:
    """The API's own objects."""
    return b"".join(bytes(row) + b"\n" for row in rows)


def _csv(rows: Sequence[msgspec.Raw]) -> bytes:
    return _lines([_cells(msgspec.structs.asdict(_decode_row(row))) for row in rows])


def _focus(rows: Sequence[msgspec.Raw], account: focus.Account) -> bytes:
    charges = (focus.charge(_decode_row(row), account) for row in rows)
    return _lines([found for found in charges if found is not None])


def _cells(values: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(_cell(values[name]) for name in _CSV_COLUMNS)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _encode(value).decode().strip('"')


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


_HEADINGS = MappingProxyType({Form.JSONL: b"", Form.CSV: _lines([_CSV_COLUMNS]), Form.FOCUS: _lines([focus.COLUMNS])})
