"""`gateway usage`: requests, tokens, money, neurons by day, project, key or model, from the usage report.

Money stands there twice: by the price book, and by the neurons the account is metered in; their difference, too.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.connection import Connection, decode_all
from gateway.cli.output import (
    NANO_PER_DOLLAR,
    Column,
    Format,
    print_csv,
    print_json,
    print_note,
    print_table,
    show_day,
    show_nano,
)
from gateway.cli.period import SINCE, now, parse_since, start_of_day
from gateway.cli.reprice import PricedRow
from gateway.cli.reprice import reprice as reprice_rows
from gateway.cli.session import all_projects, connect
from gateway.cli.views import Health, Key, NeuronDay, UsageBucket, UsageResult


class Dimension(StrEnum):
    """What a line of the report stands for."""

    PROJECT = "project"
    KEY = "key"
    MODEL = "model"
    DAY = "day"
    TAG = "tag"


@dataclass(slots=True, frozen=True)
class By:
    """What a line stands for: a dimension, and of a tag its name."""

    dimension: Dimension
    tag: str = ""


def _parse_by(given: "str | By") -> By:
    if isinstance(given, By):
        return given
    word, _, tag = given.partition(":")
    if word not in _HEADINGS or (word == Dimension.TAG) != bool(tag):
        raise typer.BadParameter(f"'{given}' is not one of {_CHOICES}.")
    return By(Dimension(word), tag)


@dataclass(slots=True)
class Line:
    """Sums of one line."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano: int = 0
    gone: int = 0
    neurons: Decimal = Decimal(0)
    neuron_nano: int = 0  # what these neurons cost without any free ones

    def add(self, other: "Line") -> None:
        """Count another one in."""
        self.requests += other.requests
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cost_nano += other.cost_nano
        self.gone += other.gone
        self.neurons += other.neurons
        self.neuron_nano += other.neuron_nano


Label = tuple[str, ...]
Lines = dict[Label, Line]

# By dimension: what the report is asked to group by, and what tells a line from the others.
_GROUPS: dict[Dimension, list[str]] = {
    Dimension.DAY: [],
    Dimension.PROJECT: ["project_id"],
    Dimension.KEY: ["project_id", "api_key_id"],
    Dimension.MODEL: ["model"],
    Dimension.TAG: [],
}
_LABELS: dict[Dimension, tuple[str, ...]] = {
    Dimension.DAY: ("day",),
    Dimension.PROJECT: ("project",),
    Dimension.KEY: ("project", "key"),
    Dimension.MODEL: ("model",),
    Dimension.TAG: ("tag",),
}
_HEADINGS: dict[Dimension, tuple[str, ...]] = {
    Dimension.DAY: ("day",),
    Dimension.PROJECT: ("project_id", "project"),
    Dimension.KEY: ("project", "api_key_id", "key"),
    Dimension.MODEL: ("model",),
    Dimension.TAG: ("tag",),
}
_CHOICES = "day, project, key, model, tag:NAME"
_ROW_LABELS: dict[Dimension, Callable[[PricedRow, str], str]] = {
    Dimension.DAY: lambda row, _: show_day(row.created),
    Dimension.PROJECT: lambda row, _: row.project_id,
    Dimension.KEY: lambda row, _: row.api_key_id,
    Dimension.MODEL: lambda row, _: row.model,
    Dimension.TAG: lambda row, tag: row.tags.get(tag, ""),
}
_AMOUNTS = (
    "requests", "gone", "input_tokens", "output_tokens", "cost_usd", "neurons", "neurons_usd", "difference_usd",
)  # fmt: skip

_RANKS = {
    "neurons": 1, "output_tokens": 2, "input_tokens": 3, "project_id": 4, "api_key_id": 5,
    "difference_usd": 6, "neurons_usd": 7, "gone": 8,
}  # fmt: skip


def report_usage(
    context: typer.Context,
    by: Annotated[
        By,
        typer.Option(parser=_parse_by, metavar="BY", show_default="day", help=f"What a line stands for: {_CHOICES}."),
    ] = By(Dimension.DAY),
    since: Annotated[str, typer.Option(help=f"{SINCE} In whole days or hours.")] = "7d",
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    reprice: Annotated[Path | None, typer.Option(help="What would it have cost by the prices in this file?")] = None,
) -> None:
    """Show requests, tokens and money."""
    start = parse_since(since)
    with connect(context) as connection:
        if reprice is not None:
            label = _ROW_LABELS[by.dimension]
            shown = Format.JSON if as_json else form
            reprice_rows(connection, start, reprice, lambda row: label(row, by.tag), shown)
            return
        named = _name_lines(connection, by.dimension, _read_lines(connection, by, start))
        today = _read_today(connection)
        kept = _read_kept_tags(connection) if by.tag else []
    _print_lines(by.dimension, named, Format.JSON if as_json else form)
    if by.tag and by.tag not in kept:
        print_note(f"Usage is not summed up by the tag {by.tag}: `ledger.rollup_tags` has {', '.join(kept) or 'none'}.")
    if today is not None:
        print_note(
            f"Today (UTC): {today.neurons:.0f} neurons of {today.free_neurons} free ones, "
            f"{show_nano(today.billed_nano)} USD beyond them. neurons_usd counts none as free."
        )
        if today.forecast_neurons is not None:
            print_note(f"By midnight at the present pace: {today.forecast_neurons:.0f} neurons{_exhaustion(today)}.")


def _exhaustion(today: NeuronDay) -> str:
    if today.exhausted_at is None:
        return ", within the free ones"
    return f"; the free ones last until {time.strftime('%H:%M', time.gmtime(today.exhausted_at))} UTC"


def _read_today(connection: Connection) -> NeuronDay | None:
    return next(iter(decode_all(connection.items("/organization/neurons", {"start_time": now()}), NeuronDay)), None)


def _read_kept_tags(connection: Connection) -> list[str]:
    return msgspec.json.decode(connection.get("/organization/health"), type=Health).rollup_tags


def _read_lines(connection: Connection, by: By, start: int) -> Lines:
    width, most = ("1d", 31) if start == start_of_day(start) else ("1h", 168)
    asked: dict[str, str | int | list[str]] = {"start_time": start, "bucket_width": width, "limit": most}
    asked["group_by[]"] = _GROUPS[by.dimension]
    if by.tag:
        asked["tag"] = by.tag
    lines: Lines = {}
    for used in decode_all(connection.items("/organization/usage/completions", asked), UsageBucket):
        if by.dimension is Dimension.DAY:
            lines.setdefault((show_day(used.start_time),), Line())  # a day without requests is a line, too
        for result in used.results:
            _add(lines, _usage_label(by.dimension, used.start_time, result), _usage_line(result))
    return _from_first_use(lines) if by.dimension is Dimension.DAY else lines


def _from_first_use(lines: Lines) -> Lines:
    """Days from the first on that was used, the last one in any case."""
    days = sorted(lines)
    first = next((day for day in days if lines[day].requests), days[-1] if days else ())
    return {day: lines[day] for day in days if day >= first}


def _add(lines: Lines, label: Label, line: Line) -> None:
    lines.setdefault(label, Line()).add(line)


def _usage_line(result: UsageResult) -> Line:
    return Line(
        result.num_model_requests,
        result.input_tokens,
        result.output_tokens,
        cost_nano=result.cost_nano,
        gone=result.num_client_gone,
        neurons=result.neurons,
        neuron_nano=result.neuron_cost_nano,
    )


def _usage_label(by: Dimension, day: int, result: UsageResult) -> Label:
    parts = {
        "day": show_day(day),
        "project": result.project_id,
        "key": result.api_key_id,
        "model": result.model,
        "tag": result.tag,
    }
    return tuple(parts[name] or "" for name in _LABELS[by])


def _name_lines(connection: Connection, by: Dimension, lines: Lines) -> Lines:
    """The lines in order, with names beside or instead of ids."""
    ordered = dict(sorted(lines.items()))
    if by in (Dimension.DAY, Dimension.MODEL, Dimension.TAG):
        return ordered
    names = {project.id: project.name for project in all_projects(connection)}
    if by is Dimension.PROJECT:
        return {(project, names.get(project, "")): line for (project,), line in ordered.items()}
    known = {label[0] for label in ordered} & names.keys()
    keys = {key.id: key.name for project in sorted(known) for key in _keys_of(connection, project)}
    return {(names.get(label[0], label[0]), label[1], keys.get(label[1], "")): line for label, line in ordered.items()}


def _keys_of(connection: Connection, project_id: str) -> list[Key]:
    path = f"/organization/projects/{project_id}/api_keys"
    return decode_all(connection.items(path, {"include_revoked": "true", "limit": 100}), Key)


def _print_lines(by: Dimension, lines: Lines, form: Format) -> None:
    labels = _HEADINGS[by]
    headings = (*labels, *_AMOUNTS)
    if form is Format.JSON:
        print_json([dict(zip(headings, (*label, *_values(line)), strict=True)) for label, line in lines.items()])
        return
    rows = [(*label, *_cells(line)) for label, line in lines.items()]
    if form is Format.CSV:
        print_csv([Column(heading) for heading in headings], rows)
        return
    columns = [
        Column(each.replace("_", " ").upper(), is_number=each in _AMOUNTS, rank=_RANKS.get(each, 0))
        for each in headings
    ]
    print_table(columns, rows, ("TOTAL", *[""] * (len(labels) - 1), *_cells(_total(lines.values()))))


def _total(lines: Iterable[Line]) -> Line:
    total = Line()
    for line in lines:
        total.add(line)
    return total


def _money(line: Line) -> tuple[int, int, int]:
    """Nano-dollars: by the price book, by the neurons, and what the first has more."""
    return line.cost_nano, line.neuron_nano, line.cost_nano - line.neuron_nano


def _values(line: Line) -> tuple[int | msgspec.Raw, ...]:
    cost, neurons, difference = (Decimal(nano) / NANO_PER_DOLLAR for nano in _money(line))
    exact = (msgspec.Raw(f"{amount:f}".encode()) for amount in (cost, line.neurons, neurons, difference))
    return line.requests, line.gone, line.input_tokens, line.output_tokens, *exact  # never through a binary fraction


def _cells(line: Line) -> tuple[str, ...]:
    counts = (line.requests, line.gone, line.input_tokens, line.output_tokens)
    cost, neurons, difference = map(show_nano, _money(line))
    return *map(str, counts), cost, f"{line.neurons:.2f}", neurons, difference
