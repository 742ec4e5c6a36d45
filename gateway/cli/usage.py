"""`gateway usage`: requests, tokens, money, neurons by day, project, key or model, from the usage and costs reports.

Money stands there twice: by the price book, and by the neurons the account is metered in; their difference, too.
"""

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
    show_dollars,
    show_nano,
)
from gateway.cli.period import now, parse_since
from gateway.cli.reprice import PricedRow
from gateway.cli.reprice import reprice as reprice_rows
from gateway.cli.session import all_projects, connect
from gateway.cli.views import CostsBucket, CostsResult, Key, NeuronDay, UsageBucket, UsageResult


class Dimension(StrEnum):
    """What a line of the report stands for."""

    PROJECT = "project"
    KEY = "key"
    MODEL = "model"
    DAY = "day"


@dataclass(slots=True)
class Line:
    """Sums of one line."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: Decimal = Decimal(0)
    neurons: Decimal = Decimal(0)
    neuron_nano: int = 0  # what these neurons cost without any free ones

    @property
    def neuron_dollars(self) -> Decimal:
        return Decimal(self.neuron_nano) / NANO_PER_DOLLAR

    def add(self, other: "Line") -> None:
        """Count another one in."""
        self.requests += other.requests
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.dollars += other.dollars
        self.neurons += other.neurons
        self.neuron_nano += other.neuron_nano


Label = tuple[str, ...]
Lines = dict[Label, Line]

# By dimension: what the usage and the costs report are asked to group by, and what tells a line from the others.
_GROUPS: dict[Dimension, tuple[list[str], list[str]]] = {
    Dimension.DAY: ([], []),
    Dimension.PROJECT: (["project_id"], ["project_id"]),
    Dimension.KEY: (["project_id", "api_key_id"], ["project_id", "api_key_id"]),
    Dimension.MODEL: (["model"], ["line_item"]),
}
_LABELS: dict[Dimension, tuple[str, ...]] = {
    Dimension.DAY: ("day",),
    Dimension.PROJECT: ("project",),
    Dimension.KEY: ("project", "key"),
    Dimension.MODEL: ("model",),
}
_HEADINGS: dict[Dimension, tuple[str, ...]] = {
    Dimension.DAY: ("day",),
    Dimension.PROJECT: ("project_id", "project"),
    Dimension.KEY: ("project", "api_key_id", "key"),
    Dimension.MODEL: ("model",),
}
_ROW_LABELS: dict[Dimension, Callable[[PricedRow], str]] = {
    Dimension.DAY: lambda row: show_day(row.created),
    Dimension.PROJECT: lambda row: row.project_id,
    Dimension.KEY: lambda row: row.api_key_id,
    Dimension.MODEL: lambda row: row.model,
}
_AMOUNTS = ("requests", "input_tokens", "output_tokens", "cost_usd", "neurons", "neurons_usd", "difference_usd")


def report_usage(
    context: typer.Context,
    by: Annotated[Dimension, typer.Option(help="What a line stands for.")] = Dimension.DAY,
    since: Annotated[str, typer.Option(help="7d, 2w, or a day as 2026-11-01; whole days, UTC.")] = "7d",
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    reprice: Annotated[Path | None, typer.Option(help="What would it have cost by the prices in this file?")] = None,
) -> None:
    """Show requests, tokens and money."""
    start = parse_since(since)
    with connect(context) as connection:
        if reprice is not None:
            reprice_rows(connection, start, reprice, _ROW_LABELS[by], Format.JSON if as_json else form)
            return
        lines = _read_lines(connection, by, start)
        named = _name_lines(connection, by, lines)
        today = _read_today(connection)
    _print_lines(by, named, Format.JSON if as_json else form)
    if today is not None:
        print_note(
            f"Today (UTC): {today.neurons:.0f} neurons of {today.free_neurons} free ones, "
            f"{show_nano(today.billed_nano)} USD beyond them. neurons_usd counts none as free."
        )


def _read_today(connection: Connection) -> NeuronDay | None:
    return next(iter(decode_all(connection.items("/organization/neurons", {"start_time": now()}), NeuronDay)), None)


def _read_lines(connection: Connection, by: Dimension, start: int) -> Lines:
    usage_groups, costs_groups = _GROUPS[by]
    usage = connection.items(
        "/organization/usage/completions", {"start_time": start, "limit": 31, "group_by[]": usage_groups}
    )
    costs = connection.items("/organization/costs", {"start_time": start, "limit": 180, "group_by[]": costs_groups})
    lines: Lines = {}
    for used in decode_all(usage, UsageBucket):
        if by is Dimension.DAY:
            lines.setdefault((show_day(used.start_time),), Line())  # a day without requests is a line, too
        for result in used.results:
            _add(lines, _usage_label(by, used.start_time, result), _usage_line(result))
    for spent in decode_all(costs, CostsBucket):
        for cost in spent.results:
            _add(lines, _costs_label(by, spent.start_time, cost), Line(dollars=cost.amount.value))
    return lines


def _add(lines: Lines, label: Label, line: Line) -> None:
    lines.setdefault(label, Line()).add(line)


def _usage_line(result: UsageResult) -> Line:
    return Line(
        result.num_model_requests,
        result.input_tokens,
        result.output_tokens,
        neurons=result.neurons,
        neuron_nano=result.neuron_cost_nano,
    )


def _usage_label(by: Dimension, day: int, result: UsageResult) -> Label:
    parts = {"day": show_day(day), "project": result.project_id, "key": result.api_key_id, "model": result.model}
    return tuple(parts[name] or "" for name in _LABELS[by])


def _costs_label(by: Dimension, day: int, result: CostsResult) -> Label:
    parts = {"day": show_day(day), "project": result.project_id, "key": result.api_key_id, "model": result.line_item}
    return tuple(parts[name] or "" for name in _LABELS[by])


def _name_lines(connection: Connection, by: Dimension, lines: Lines) -> Lines:
    """The lines in order, with names beside or instead of ids."""
    ordered = dict(sorted(lines.items()))
    if by in (Dimension.DAY, Dimension.MODEL):
        return ordered
    projects = {project.id: project.name for project in all_projects(connection)}
    if by is Dimension.PROJECT:
        return {(project, projects.get(project, "")): line for (project,), line in ordered.items()}
    known = {label[0] for label in ordered} & projects.keys()
    keys = {key.id: key.name for project in sorted(known) for key in _keys_of(connection, project)}
    return {
        (projects.get(label[0], label[0]), label[1], keys.get(label[1], "")): line for label, line in ordered.items()
    }


def _keys_of(connection: Connection, project_id: str) -> list[Key]:
    path = f"/organization/projects/{project_id}/api_keys"
    return decode_all(connection.items(path, {"include_revoked": "true", "limit": 100}), Key)


def _print_lines(by: Dimension, lines: Lines, form: Format) -> None:
    headings = (*_HEADINGS[by], *_AMOUNTS)
    if form is Format.JSON:
        print_json([dict(zip(headings, (*label, *_values(line)), strict=True)) for label, line in lines.items()])
        return
    rows = [(*label, *_cells(line)) for label, line in lines.items()]
    if form is Format.CSV:
        print_csv([Column(heading) for heading in headings], rows)
        return
    columns = [Column(each.replace("_", " ").upper(), is_number=each in _AMOUNTS) for each in headings]
    blanks = [""] * (len(_HEADINGS[by]) - 1)
    print_table(columns, rows, ("TOTAL", *blanks, *_cells(_total(lines.values()))))


def _total(lines: Iterable[Line]) -> Line:
    total = Line()
    for line in lines:
        total.add(line)
    return total


def _values(line: Line) -> tuple[int | msgspec.Raw, ...]:
    amounts = (line.dollars, line.neurons, line.neuron_dollars, line.dollars - line.neuron_dollars)
    exact = (msgspec.Raw(f"{amount:f}".encode()) for amount in amounts)  # without passing through a binary fraction
    return line.requests, line.input_tokens, line.output_tokens, *exact


def _cells(line: Line) -> tuple[str, ...]:
    counts = (str(line.requests), str(line.input_tokens), str(line.output_tokens))
    billed, difference = line.neuron_dollars, line.dollars - line.neuron_dollars
    return *counts, show_dollars(line.dollars), f"{line.neurons:.2f}", show_dollars(billed), show_dollars(difference)
