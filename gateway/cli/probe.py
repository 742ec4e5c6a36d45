"""`gateway probe`: asks the real upstream what nobody has documented, and writes the answers down."""

import asyncio
import os
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.configuration_file import AsJson, Config, choose_file, load_file
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table
from gateway.cli.progress import Progress
from gateway.config.settings import Settings
from gateway.core.catalog import Model
from gateway.diagnosis.probe import Probe, Record
from gateway.diagnosis.questions import QUESTIONS
from gateway.tokenizer import load_tokenizer

_COLUMNS = (Column("QUESTION"), Column("MODEL"), Column("STATUS", is_number=True), Column("ANSWER"))
_SHOWN_CHARS = 90
_MOST_BURST = 1500  # past 1,200 it also shows whether calls count against the API's limit for five minutes

Models = Annotated[list[str] | None, typer.Option("--model", help="Ask about this model only; may be repeated.")]
Output = Annotated[
    Path | None, typer.Option("--output", help="The file to write: .jsonl, or .md for people. Never overwritten.")
]
Burst = Annotated[
    int, typer.Option(min=0, max=_MOST_BURST, help="Send so many calls at once, to meet the per-minute limit.")
]


def probe_upstream(
    config: Config = None, models: Models = None, output: Output = None, burst: Burst = 0, as_json: AsJson = False
) -> None:
    """Record what Workers AI really answers to every open question. Costs less than a cent; prints no credential."""
    settings = load_file(choose_file(config, os.environ), os.environ).settings
    if not settings.upstream.api_token:
        advice = "Set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN; `gateway doctor` tries them."
        raise CommandFailed("There are no credentials to ask with.", ExitCode.USAGE, advice)
    file = output or Path(f"probe-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")
    chosen = _chosen(settings, models or [])
    probe = Probe(settings.upstream, chosen, load_tokenizer(settings.tokenizer_path), burst)
    records = asyncio.run(_write(probe, file, len(chosen)))
    if as_json:
        print_json(records)
    else:
        print_table(_COLUMNS, [_cells(record) for record in records])
    print_note(f"Answers in {file}: {len(records)}")
    if not any(record.status == 200 for record in records):
        raise CommandFailed("Nothing was answered with success.", ExitCode.REFUSED, "`gateway doctor` says more.")


def _chosen(settings: Settings, names: list[str]) -> list[Model]:
    catalog = settings.catalog
    if not names:
        return list(catalog.models.values())
    found = [route.models[0] if (route := catalog.resolve(name)) else name for name in names]
    unknown = [model_id for model_id in found if model_id not in catalog.models]
    if unknown:
        raise CommandFailed(f"There is no model {unknown[0]}.", ExitCode.USAGE, "`gateway models` lists them.")
    return [catalog.models[model_id] for model_id in found]


async def _write(probe: Probe, file: Path, models: int) -> list[Record]:
    """Ask and write line by line: what was answered is kept, whatever interrupts."""
    try:
        written = file.open("x", encoding="utf-8")
    except OSError as error:
        raise CommandFailed(
            f"Cannot write {file}: {error.strerror}.", ExitCode.USAGE, "Name another --output."
        ) from error
    found: list[Record] = []
    with written, Progress("asking", 1 + models * len(QUESTIONS)) as progress:
        async with aclosing(probe.records()) as records:
            async for record in records:
                found.append(record)
                written.write(_markdown(record) if file.suffix == ".md" else _line(record))
                written.flush()
                progress.step(f"{record.question} {record.model}")
    return found


def _line(record: Record) -> str:
    return msgspec.json.encode(record).decode() + "\n"


def _markdown(record: Record) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in record.headers.items())
    request = msgspec.json.format(msgspec.json.encode(record.request), indent=2).decode() if record.request else ""
    parts = [
        f"## {record.question} {record.model}".rstrip(),
        record.about,
        f"```json\n{request}\n```" if request else "",
        f"Status {record.status}, {record.times} ×, our count {record.ours}" if not record.failure else record.failure,
        f"```\n{headers}\n\n{record.text}\n```" if record.status else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n\n"


def _cells(record: Record) -> tuple[str, ...]:
    answer = " ".join((record.failure or record.text).split())
    shown = answer if len(answer) <= _SHOWN_CHARS else f"{answer[:_SHOWN_CHARS]}…"
    times = f"{record.times} × " if record.times > 1 else ""
    return record.question, record.model, str(record.status or "–"), times + shown
