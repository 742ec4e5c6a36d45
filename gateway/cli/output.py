"""What a command prints: tables for people, JSON and CSV for programs. Colours only on a terminal.

Results go to stdout, everything else to stderr, so that a pipe carries data only. Reads no network and no clock.
"""

import csv
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

NANO_PER_DOLLAR = 10**9

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")

# Wide enough for every column where stdout is no terminal: a cut id is of no use to grep.
_PIPE_WIDTH = 1000


class Format(StrEnum):
    """How a report is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Column(msgspec.Struct, frozen=True):
    """A column: its heading, and whether it holds numbers."""

    title: str
    is_number: bool = False


Row = Sequence[str]


def print_table(columns: Sequence[Column], rows: Iterable[Row], footer: Row = ()) -> None:
    """A table on stdout: with lines on a terminal, plain columns in a pipe."""
    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else _PIPE_WIDTH, highlight=False)
    table = Table(box=None, pad_edge=False, show_footer=bool(footer), header_style="bold", footer_style="bold")
    for number, column in enumerate(columns):
        table.add_column(
            column.title,
            footer=footer[number] if footer else "",
            justify="right" if column.is_number else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a name in brackets is no markup
    if is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def print_csv(columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Comma-separated values with a heading line."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column.title for column in columns])
    writer.writerows([_unformula(cell) for cell in row] for row in rows)


def print_json(value: object) -> None:
    """Indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


_VERDICTS: Final = {
    "ok": ("  ok     ", "green"),
    "warning": ("  warning", "yellow"),
    "problem": ("  PROBLEM", "bold red"),
}


def print_verdict(verdict: str, subject: str, message: str, advice: str) -> None:
    """One line of an examination, and what to do about it below."""
    word, style = _VERDICTS[verdict]
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble((word, style), f"  {subject}: {message}"))
    if advice:
        console.print(Text(f"{' ' * len(word)}  → {advice}"))


def print_note(text: str) -> None:
    """A line for people, on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text))


def print_failure(message: str, advice: str) -> None:
    """Why a command failed and what to do next, on stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("Error: ", "bold red"), message))
    if advice:
        console.print(Text(advice))


def show_dollars(amount: Decimal) -> str:
    """Dollars, exact, with at least cents: `0.06`, `0.0000484`."""
    text = f"{amount:f}"
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def show_nano(nano: int) -> str:
    """Nano-dollars as dollars."""
    return show_dollars(Decimal(nano) / NANO_PER_DOLLAR)


def show_moment(moment: int | None) -> str:
    """A point in time (unix seconds) in UTC."""
    return "–" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def show_day(moment: int) -> str:
    """A day (unix seconds of its start) in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def _unformula(cell: str) -> str:
    """A cell that a spreadsheet does not compute. Not for `@`, with which every model's id begins: data come first."""
    is_formula = cell.startswith(("=", "+", "-", "\t")) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell
