"""Since when a report counts."""

from datetime import UTC, date, datetime

import pytest
import typer

from gateway.cli.period import start_of

TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("text", "day"),
    [("1d", (2026, 11, 20)), ("7d", (2026, 11, 14)), ("2w", (2026, 11, 7)), ("2026-03-01", (2026, 3, 1))],
)
def test_start_of_period_is_a_utc_midnight(text: str, day: tuple[int, int, int]) -> None:
    assert start_of(text, TODAY) == datetime(*day, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["", "7", "0d", "d", "-1d", "7h", "yesterday", "2026-13-01", "99999d"])
def test_start_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        start_of(text, TODAY)
