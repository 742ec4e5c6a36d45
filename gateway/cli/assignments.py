"""`name=value` on the command line: what `keys` and `projects` commands set, as members of the admin API's bodies.

Only the writing is understood here; whether a model, a route or a bound exists is the gateway's to say.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Final

import typer

from gateway.cli.limit_kinds import LimitEntry, budget_entry, read_budget, read_limit

Member = str | int | bool | list[str] | dict[str, str] | dict[str, int] | None
Body = dict[str, object]

_SECONDS: Final[Mapping[str, int]] = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_SHORT: Final[Mapping[str, str]] = {"rpm": "requests/minute", "tpm": "tokens/minute"}
_DEFAULT = "default"


def read_assignments(texts: Sequence[str], now: int, *, of_project: bool = False) -> Body:
    """The body that sets them, null where a rule is taken back. `now` is unix seconds. Raises BadParameter."""
    body: Body = {}
    limits: list[LimitEntry] = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise _bad(text, "write name=value")
        if name in _SHORT or "/" in name or name == "concurrency":
            limits.append(_read_limit(name, value))
        elif name == "expires" and not of_project:
            body["expires_at"] = _read_expiry(text, value, now)
        elif name in _readers(of_project=of_project):
            body[name] = _readers(of_project=of_project)[name](text, value)
        else:
            known = ", ".join(assignable(of_project=of_project))
            raise _bad(text, f"there is no '{name}'; there are {known} and limits such as rpm or tokens/day")
    return {**body, "limits": limits} if limits else body


def read_duration(text: str, hint: str) -> int:
    """Seconds of `12h`, `30d`, `4w`. Raises BadParameter."""
    seconds = _duration(text)
    if seconds is None:
        raise typer.BadParameter(f"'{text}' is no duration like 12h, 30d or 4w", param_hint=hint)
    return seconds


def _duration(text: str) -> int | None:
    amount, unit = text[:-1], text[-1:]
    return int(amount) * _SECONDS[unit] if amount.isdecimal() and unit in _SECONDS else None


def assignable(*, of_project: bool = False) -> list[str]:
    """The names that may stand before `=`, besides those of limits."""
    return [*_readers(of_project=of_project), *([] if of_project else ["expires"])]


def explain_assignments(*, of_project: bool = False) -> str:
    """For `--help`."""
    only_here = (
        "log_content=true queue_weight=3" if of_project else "owner=NAME disabled=true expires=30d|2026-12-31|never"
    )
    return (
        "name=TEXT rpm=60 tpm=100000 concurrency=4 usd/month=25 tokens/day=1000000 (a limit =none removes) "
        "allowed_models=A,B allowed_routes=auto default_route=auto on_disconnect=cancel|drain drain_up_to=500,20s "
        f"on_store_down=deny|allow on_revoke=cut|finish tags=team=search,env=prod {only_here}; a rule =default is "
        "taken back."
    )


def complete_assignment(incomplete: str) -> list[str]:
    """For the shell: what `incomplete` may become."""
    names = [*assignable(), "log_content", "queue_weight", "rpm", "tpm", "concurrency", "usd/month", "usd/day"]
    return [f"{name}=" for name in names if name.startswith(incomplete)]


def _read_limit(name: str, value: str) -> LimitEntry:
    if name.startswith("usd/"):
        window = name.partition("/")[2]
        if value == "none":
            return {"kind": "money", "window": window, "limit": None}
        return budget_entry(read_budget(value)[0], window)
    return read_limit(f"{_SHORT.get(name, name)}={value}")


def _read_expiry(text: str, value: str, now: int) -> int | None:
    if value == "never":
        return None
    seconds = _duration(value)
    if seconds is not None:
        return now + seconds
    try:
        return int(datetime.combine(date.fromisoformat(value), time(), UTC).timestamp())
    except ValueError as error:
        raise _bad(text, "an end is written 12h, 30d, 4w, 2026-12-31 (its beginning, UTC) or never") from error


def _read_text(_: str, value: str) -> Member:
    return value


def _read_rule(_: str, value: str) -> Member:
    return None if value == _DEFAULT else value


def _read_list(_: str, value: str) -> Member:
    return None if value == _DEFAULT else [each.strip() for each in value.split(",")]


def _read_flag(text: str, value: str) -> Member:
    if value not in ("true", "false"):
        raise _bad(text, "write true or false")
    return value == "true"


def _read_flag_rule(text: str, value: str) -> Member:
    return None if value == _DEFAULT else _read_flag(text, value)


def _read_drain(text: str, value: str) -> Member:
    if value == _DEFAULT:
        return None
    found: dict[str, int] = {}
    for part in value.split(","):
        name, amount = ("seconds", part[:-1]) if part.endswith("s") else ("tokens", part)
        if not amount.isdecimal():
            raise _bad(text, "write tokens, seconds or both: 500,20s")
        found[name] = int(amount)
    return found


def _read_weight(text: str, value: str) -> Member:
    if value == _DEFAULT:
        return None
    if not value.isdecimal():
        raise _bad(text, "a weight is a whole number")
    return int(value)


def _read_tags(text: str, value: str) -> Member:
    if value == _DEFAULT:
        return None
    pairs = [part.partition("=") for part in value.split(",")]
    if not all(equals and tag for _, equals, tag in pairs):
        raise _bad(text, "write tags=team=search,env=prod")
    return {name.strip(): tag.strip() for name, _, tag in pairs}


_RULES: Final[Mapping[str, Callable[[str, str], Member]]] = {
    "allowed_models": _read_list,
    "allowed_routes": _read_list,
    "default_route": _read_rule,
    "on_disconnect": _read_rule,
    "drain_up_to": _read_drain,
    "on_store_down": _read_rule,
    "on_revoke": _read_rule,
    "tags": _read_tags,
}
_KEY: Final = {"name": _read_text, "owner": _read_text, "disabled": _read_flag, **_RULES}
_PROJECT: Final = {"name": _read_text, "log_content": _read_flag_rule, "queue_weight": _read_weight, **_RULES}


def _readers(*, of_project: bool) -> Mapping[str, Callable[[str, str], Member]]:
    return _PROJECT if of_project else _KEY


def _bad(text: str, message: str) -> typer.BadParameter:
    return typer.BadParameter(f"'{text}': {message}", param_hint="SETTING")
