"""How limits are written on the command line."""

from decimal import Decimal

import pytest
import typer

from gateway.cli.limit_kinds import budget_entry, read_budget, read_limit


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("requests/minute=60", ("requests", "minute", 60)),
        ("concurrency=4", ("concurrency", "now", 4)),
        ("tokens/day=none", ("tokens", "day", None)),
    ],
)
def test_read_limit_takes_kind_window_and_amount(text: str, entry: tuple[str, str, int | None]) -> None:
    assert tuple(read_limit(text).values()) == entry


@pytest.mark.parametrize(
    "text", ["", "requests", "requests/minute=", "=5", "requests/minute=-1", "requests/minute=1.5"]
)
def test_read_limit_refuses_what_is_none(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_limit(text)


@pytest.mark.parametrize(
    ("text", "budget"),
    [("25", (Decimal(25), "month")), ("$0.5/day", (Decimal("0.5"), "day")), ("7/total", (Decimal(7), "total"))],
)
def test_read_budget_is_per_month_unless_it_says_otherwise(text: str, budget: tuple[Decimal, str]) -> None:
    assert read_budget(text) == budget


def test_budget_entry_is_in_nano_dollars() -> None:
    assert budget_entry(Decimal("0.000000001"), "day") == {"kind": "money", "window": "day", "limit": 1}
