"""Moments as people name them: `90m` and `36h` back from now; `7d` and `2w` back in whole days, today being the first;
`today`, `yesterday`, a day, an RFC 3339 moment. Days are of UTC, as budgets count. One reader for every command.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import typer

SINCE: Final = "90m, 36h, 7d, 2w, today, yesterday, a day (2026-11-01) or a moment (2026-11-01T09:30:00Z); UTC."
UNTIL: Final = "The last day or moment, in the same forms; else now."
_BACK = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_SECONDS = {"m": 60, "h": 3600}
_DAYS = {"d": 1, "w": 7}
_DAY = 86_400


def parse_since(text: str) -> int:
    """Unix seconds; of a day, its start. Raises typer.BadParameter."""
    return start_of(text, now())


def parse_until(text: str) -> int:
    """Unix seconds; of a day, its end. Raises typer.BadParameter."""
    return end_of(text, now())


def start_of(text: str, moment: int) -> int:
    """`parse_since` at that moment."""
    return _read(text.strip(), moment)[0]


def end_of(text: str, moment: int) -> int:
    """`parse_until` at that moment."""
    return sum(_read(text.strip(), moment))


def end_of_day(text: str) -> int:
    """Unix seconds of the end of a day by its date. Raises typer.BadParameter."""
    try:
        return _start(date.fromisoformat(text)) + _DAY
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"'{text}' is no day like 2026-11-30") from error


def _read(text: str, moment: int) -> tuple[int, int]:
    """Where it begins and how long it is: a day, or nothing."""
    today = datetime.fromtimestamp(moment, UTC).date()
    try:
        if back := _BACK.fullmatch(text):
            count, unit = int(back[1]), back[2]
            if unit in _SECONDS:
                return max(0, moment - count * _SECONDS[unit]), 0
            return max(0, _start(today) - (count * _DAYS[unit] - 1) * _DAY), _DAY
        if text in ("today", "yesterday"):
            return _start(today) - (_DAY if text == "yesterday" else 0), _DAY
        if len(text) == len("2026-11-01"):
            return _start(date.fromisoformat(text)), _DAY
        given = datetime.fromisoformat(text if "T" in text else "")
        return int(given.replace(tzinfo=given.tzinfo or UTC).timestamp()), 0
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"'{text}' is none of: {SINCE}") from error


def _start(day: date) -> int:
    found = int(datetime.combine(day, time(), UTC).timestamp())
    if found < 0:
        raise ValueError("before 1970")
    return found


def start_of_day(moment: int) -> int:
    """Unix seconds of the UTC midnight before it."""
    return moment - moment % _DAY


def now() -> int:
    """This second, unix; rows of the second itself are left to the next export."""
    return int(datetime.now(UTC).timestamp())


def day_before_now() -> str:
    """Yesterday's date, UTC."""
    return (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
