"""What past requests would have cost by another price book: every billed attempt priced again, as the ledger prices.

The file is a configuration like any other; its prices are laid over the built-in ones, and the one in force on a
request's day counts. What was charged stays what it is.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway.cli.configuration_file import load_file
from gateway.cli.connection import Connection
from gateway.cli.output import Column, Format, print_csv, print_json, print_note, print_table, show_nano
from gateway.core.catalog import Catalog
from gateway.core.pricing import cost_nano

_PAGE = 1000
_HEADINGS = ("requests", "cost_usd", "repriced_usd", "difference_usd")


class _Attempt(msgspec.Struct):
    model: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_nano: int


class PricedRow(msgspec.Struct):
    """A request with what is needed to price it."""

    created: int
    project_id: str
    api_key_id: str
    model: str
    cost_nano: int
    attempts: list[_Attempt]
    tags: dict[str, str] = {}


class _Page(msgspec.Struct):
    data: list[PricedRow]
    next_page: str | None


@dataclass(slots=True)
class Repriced:
    """Sums of one line, nano-dollars."""

    requests: int = 0
    cost_nano: int = 0
    repriced_nano: int = 0

    def add(self, requests: int, cost: int, repriced: int) -> None:
        """Count more in."""
        self.requests += requests
        self.cost_nano += cost
        self.repriced_nano += repriced


@dataclass(slots=True)
class Book:
    """A price book at work. `unknown` are the models it has no price for: they keep their cost."""

    catalog: Catalog
    unknown: set[str] = field(default_factory=set)

    def price(self, row: PricedRow) -> int:
        """What a request would have cost, nano-dollars."""
        if not row.attempts:
            return row.cost_nano
        return sum(self._attempt(each, row.created) for each in row.attempts)

    def _attempt(self, attempt: _Attempt, created: int) -> int:
        model = self.catalog.models.get(attempt.model)
        if model is None:
            self.unknown.add(attempt.model)
            return attempt.cost_nano
        price = model.price_at(created)
        return cost_nano(price, attempt.prompt_tokens, attempt.completion_tokens, attempt.cached_tokens)


def reprice(connection: Connection, start: int, file: Path, label: Callable[[PricedRow], str], form: Format) -> None:
    """Print what the requests since `start` cost and what they would have cost, a line per label."""
    book = Book(load_file(file, os.environ).settings.catalog)
    lines: dict[str, Repriced] = {}
    asked: dict[str, str | int] = {"start_time": start, "limit": _PAGE}
    while True:
        page = msgspec.json.decode(connection.get("/organization/ledger", asked), type=_Page)
        for row in page.data:
            lines.setdefault(label(row), Repriced()).add(1, row.cost_nano, book.price(row))
        if page.next_page is None:
            break
        asked["page"] = page.next_page
    _print(dict(sorted(lines.items())), form)
    if book.unknown:
        print_note(f"{file} has no price for {', '.join(sorted(book.unknown))}: left as it was.")


def _print(lines: dict[str, Repriced], form: Format) -> None:
    rows = [(name, *_cells(line)) for name, line in lines.items()]
    if form is Format.JSON:
        print_json([dict(zip(("label", *_HEADINGS), row, strict=True)) for row in rows])
        return
    if form is Format.CSV:
        print_csv([Column(heading) for heading in ("label", *_HEADINGS)], rows)
        return
    total = Repriced()
    for line in lines.values():
        total.add(line.requests, line.cost_nano, line.repriced_nano)
    columns = [Column(""), *(Column(each.replace("_", " ").upper(), is_number=True) for each in _HEADINGS)]
    print_table(columns, rows, ("TOTAL", *_cells(total)))


def _cells(line: Repriced) -> tuple[str, str, str, str]:
    difference = line.repriced_nano - line.cost_nano
    sign = "-" if difference < 0 else ""
    shown = sign + show_nano(abs(difference))
    return str(line.requests), show_nano(line.cost_nano), show_nano(line.repriced_nano), shown
