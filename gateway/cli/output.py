"""What a command prints: tables for people, JSON and CSV for programs. Colours only on a terminal.

Results go to stdout, everything else to stderr, so that a pipe carries data only. Text of others
cannot steer the terminal: whatever is printed here passes `visible`. Reads no network and no clock.
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

from gateway.cli.fitting import Fitted, fit
from gateway.core.unseen import UNSEEN, UNSEEN_IN_JSON

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
    """A column: its heading, whether it holds numbers, and what is left out first where it is too narrow: the highest
    rank. Rank 0 never is.
    """

    title: str
    is_number: bool = False
    rank: int = 0


Row = Sequence[str]


def print_table(columns: Sequence[Column], rows: Iterable[Row], footer: Row = ()) -> None:
    """A table on stdout: on a terminal the columns that fit, and a note about the others; in a pipe all."""
    is_terminal = sys.stdout.isatty()
    room = Console().width if is_terminal else _PIPE_WIDTH
    lines = [[visible(cell) for cell in row] for row in rows]
    titles = [column.title for column in columns]
    every = [titles, *lines, footer] if footer else [titles, *lines]
    fitted = fit([column.rank for column in columns], every, room if is_terminal else sys.maxsize)
    table = _table(columns, lines, footer, fitted)
    console = Console(width=max(room, fitted.total), highlight=False)
    if is_terminal:
        console.print(table)
        left_out = [title for number, title in enumerate(titles) if number not in fitted.shown]
        if left_out:
            print_note(f"Left out, as the terminal is {room} wide: {', '.join(left_out)}. A pipe or --json has all.")
        return
    with console.capture() as captured:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _table(columns: Sequence[Column], lines: Sequence[Row], footer: Row, fitted: Fitted) -> Table:
    table = Table(box=None, pad_edge=False, show_footer=bool(footer), header_style="bold", footer_style="bold")
    for number, width in zip(fitted.shown, fitted.widths, strict=True):
        table.add_column(
            columns[number].title,
            footer=footer[number] if footer else "",
            justify="right" if columns[number].is_number else "left",
            width=width,
            overflow="fold",
        )
    for line in lines:
        table.add_row(*(Text(line[number]) for number in fitted.shown))  # Text: a name in brackets is no markup
    return table


def print_csv(columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Comma-separated values with a heading line."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column.title for column in columns])
    writer.writerows([_unformula(cell) for cell in row] for row in rows)


def print_json(value: object) -> None:
    """Indented JSON. What it may hold unescaped and a terminal obeys is escaped, which changes no value."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(UNSEEN_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def visible(text: str) -> str:
    """Text of others as it may go to a terminal: control characters, line ends too, written out as `\\x1b`, and
    likewise what has no width or turns the direction of the text, as `\\u202e`.
    """
    return UNSEEN.sub(lambda found: _written_out(ord(found[0])), text)


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def print_line(text: str = "") -> None:
    """A line of a result, on stdout."""
    sys.stdout.write(f"{visible(text)}\n")


_VERDICTS: Final = {
    "ok": ("  ok     ", "green"),
    "warning": ("  warning", "yellow"),
    "problem": ("  PROBLEM", "bold red"),
}


def print_verdict(verdict: str, subject: str, message: str, advice: str) -> None:
    """One line of an examination, and what to do about it below."""
    word, style = _VERDICTS[verdict]
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble((word, style), visible(f"  {subject}: {message}")))
    if advice:
        console.print(Text(visible(f"{' ' * len(word)}  → {advice}")))


def print_note(text: str) -> None:
    """A line for people, on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(visible(text)))


def print_failure(message: str, advice: str) -> None:
    """Why a command failed and what to do next, on stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("Error: ", "bold red"), _visible_lines(message)))
    if advice:
        console.print(Text(visible(advice)))


def _visible_lines(text: str) -> str:
    """Of a message that lists several things, each line."""
    return "\n".join(map(visible, text.split("\n")))


def show_count(number: int, noun: str, nouns: str = "") -> str:
    """`1 row`, `1,204 rows`, `2 entries`; `nouns` where an s at the end does not make the plural."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"


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
