"""Moments as people name them."""

from datetime import UTC, datetime

import pytest
import typer

from gateway.cli.period import end_of, end_of_day, start_of, start_of_day


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    """A moment of UTC."""
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


NOW = at(2026, 11, 20, 13, 5, 30)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1d", (2026, 11, 20), (2026, 11, 21)),
        ("7d", (2026, 11, 14), (2026, 11, 15)),
        ("2w", (2026, 11, 7), (2026, 11, 8)),
        ("today", (2026, 11, 20), (2026, 11, 21)),
        ("yesterday", (2026, 11, 19), (2026, 11, 20)),
        ("2026-03-01", (2026, 3, 1), (2026, 3, 2)),
        ("90m", (2026, 11, 20, 11, 35, 30), (2026, 11, 20, 11, 35, 30)),
        ("36h", (2026, 11, 19, 1, 5, 30), (2026, 11, 19, 1, 5, 30)),
        ("2026-11-01T09:30:00Z", (2026, 11, 1, 9, 30), (2026, 11, 1, 9, 30)),
        ("2026-11-01T09:30:00+02:00", (2026, 11, 1, 7, 30), (2026, 11, 1, 7, 30)),
        ("2026-11-01T09:30", (2026, 11, 1, 9, 30), (2026, 11, 1, 9, 30)),
        (" today ", (2026, 11, 20), (2026, 11, 21)),
        ("999999d", (1970, 1, 1), (1970, 1, 2)),
    ],
)
def test_moment_begins_and_a_day_ends_at_utc_midnight(text: str, start: tuple[int, ...], end: tuple[int, ...]) -> None:
    assert start_of(text, NOW) == at(*start)
    assert end_of(text, NOW) == at(*end)


@pytest.mark.parametrize(
    "text", ["", "7", "0d", "d", "-1d", "7y", "tomorrow", "2026-13-01", "9999999d", "1969-12-31", "20261101", "1e3h"]
)
def test_anything_else_is_refused_with_what_may_be_said(text: str) -> None:
    for read in (start_of, end_of):
        with pytest.raises(typer.BadParameter, match="yesterday"):
            read(text, NOW)


def test_end_of_day_takes_a_date_only() -> None:
    assert end_of_day("2026-11-30") == at(2026, 12, 1)
    with pytest.raises(typer.BadParameter):
        end_of_day("today")


def test_start_of_day_is_the_midnight_before() -> None:
    assert start_of_day(NOW) == at(2026, 11, 20)
