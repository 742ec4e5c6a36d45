"""Since when a report counts: `7d` and `2w` back from today, or a day by its date; all in UTC, as budgets count."""

import re
from datetime import UTC, date, datetime, time, timedelta

import typer

_BACK = re.compile(r"([1-9][0-9]{0,3})([dw])")
_DAYS = {"d": 1, "w": 7}


def parse_since(text: str) -> int:
    """Unix seconds of the first day's start; `1d` is today. Raises typer.BadParameter."""
    return start_of(text, datetime.now(UTC).date())


def start_of(text: str, today: date) -> int:
    """The same, with today given."""
    back = _BACK.fullmatch(text)
    if back:
        day = today - timedelta(days=int(back[1]) * _DAYS[back[2]] - 1)
    else:
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise typer.BadParameter(f"'{text}' is neither like 7d or 2w nor a day like 2026-11-01") from error
    return int(datetime.combine(day, time(), UTC).timestamp())


def end_of(text: str) -> int:
    """Unix seconds of the end of a day by its date. Raises typer.BadParameter."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is no day like 2026-11-30") from error
    return int(datetime.combine(day + timedelta(days=1), time(), UTC).timestamp())


def now() -> int:
    """This second, unix; rows of the second itself are left to the next export."""
    return int(datetime.now(UTC).timestamp())


def day_before_now() -> str:
    """Yesterday's date, UTC."""
    return (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
