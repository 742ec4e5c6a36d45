"""What has to be done so that there is what a file of teams says: steps, each with the lines that show it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from gateway.cli.output import show_moment, show_nano
from gateway.cli.team_state import CurrentKey, CurrentProject, State
from gateway.config.teams import LimitName, Teams, WantedKey, WantedProject, shown_limit

_LABELS: Final = {"expires_at": "expires"}

Action = Literal["add", "change", "end"]
Amounts = Mapping[LimitName, int]


@dataclass(slots=True, frozen=True)
class Step:
    """One thing to do. `body` is what the admin API is sent; `limits` has None for those to be removed.

    `project` is empty for the organisation, `key` where it is not about a key; `owner` is the key's service account.
    """

    action: Action
    project: str
    key: str
    body: dict[str, object]
    limits: dict[LimitName, int | None]
    lines: tuple[str, ...]
    owner: str = ""

    @property
    def subject(self) -> str:
        """What it is about."""
        if not self.project:
            return "organization"
        return f"key {self.project}/{self.key}" if self.key else f"project {self.project}"


@dataclass(slots=True, frozen=True)
class Plan:
    """The steps in their order; and what the file does not name, which only pruning ends."""

    steps: tuple[Step, ...]
    unnamed: tuple[Step, ...]


def make_plan(teams: Teams, state: State) -> Plan:
    """Everything that is not as the file says."""
    steps = [*_organization(teams, state)]
    for name, wanted in teams.projects.items():
        current = state.projects.get(name)
        steps += _new_project(name, wanted) if current is None else _project(name, wanted, current)
    unnamed = sorted(_unnamed(teams, state), key=lambda step: (not step.key, step.project, step.key))
    return Plan(tuple(steps), tuple(unnamed))


def _organization(teams: Teams, state: State) -> Iterator[Step]:
    if teams.organization_limits is not None:
        changed, lines = _changed_limits(teams.organization_limits, state.organization_limits)
        if changed:
            yield Step("change", "", "", {}, changed, tuple(lines))


def _new_project(name: str, wanted: WantedProject) -> Iterator[Step]:
    limits, lines = _changed_limits(wanted.limits or {}, {})
    rules, more = _changed(wanted.rules, {})
    yield Step("add", name, "", {"name": name, **rules}, limits, (*lines, *more))
    for key, each in wanted.keys.items():
        yield _new_key(name, key, each)


def _project(name: str, wanted: WantedProject, current: CurrentProject) -> Iterator[Step]:
    limits, lines = ({}, []) if wanted.limits is None else _changed_limits(wanted.limits, current.limits)
    rules, more = _changed(wanted.rules, current.rules)
    if limits or rules:
        yield Step("change", name, "", rules, limits, (*lines, *more))
    for key, each in wanted.keys.items():
        found = current.keys.get(key)
        if found is None:
            yield _new_key(name, key, each)
        elif (step := _key(name, key, each, found)) is not None:
            yield step


def _new_key(project: str, name: str, wanted: WantedKey) -> Step:
    limits, lines = _changed_limits(wanted.limits or {}, {})
    rules, more = _changed(wanted.rules, {})
    owner = wanted.owner or name
    given: dict[str, object] = {}
    if wanted.expires:
        given["expires_at"] = wanted.expires
    if wanted.disabled:
        given["disabled"] = True
    _, told = _changed({"owner": owner, **given}, {})
    return Step("add", project, name, {"name": name, **given, **rules}, limits, (*told, *lines, *more), owner)


def _key(project: str, name: str, wanted: WantedKey, current: CurrentKey) -> Step | None:
    limits, lines = ({}, []) if wanted.limits is None else _changed_limits(wanted.limits, current.limits)
    rules, more = _changed(wanted.rules, current.rules)
    asked = {"owner": wanted.owner, "disabled": wanted.disabled}
    plain, told = _changed(
        {each: value for each, value in asked.items() if value is not None},
        {"owner": current.owner, "disabled": current.is_disabled},
    )
    if wanted.expires is not None:
        end, ends = _changed({"expires_at": wanted.expires or None}, {"expires_at": current.expires})
        plain, told = {**plain, **end}, [*told, *ends]
    owner = str(plain.pop("owner", ""))
    if not (limits or rules or plain or owner):
        return None
    return Step("change", project, name, {**plain, **rules}, limits, (*told, *lines, *more), owner)


def _unnamed(teams: Teams, state: State) -> Iterator[Step]:
    for name, current in state.projects.items():
        wanted = teams.projects.get(name)
        if wanted is None:
            yield Step("end", name, "", {}, {}, ())
            continue
        for key in current.keys.keys() - wanted.keys.keys():
            yield Step("end", name, key, {}, {}, ())


def _changed_limits(wanted: Amounts, current: Amounts) -> tuple[dict[LimitName, int | None], list[str]]:
    """What to set and remove, and a line for each."""
    changed: dict[LimitName, int | None] = {
        each: amount for each, amount in wanted.items() if current.get(each) != amount
    }
    changed |= {each: None for each in current if each not in wanted}
    lines = []
    for each, amount in changed.items():
        before = "" if each not in current else f"{_amount(each, current[each])} → "
        lines.append(f"{shown_limit(each)}: {before}{'none' if amount is None else _amount(each, amount)}")
    return changed, lines


def _changed(wanted: Mapping[str, object], current: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """What to say, and a line for each; an empty list or mapping is nothing."""
    changed = {name: value for name, value in wanted.items() if (value or None, value is False) != _now(current, name)}
    before = {name: f"{_shown(name, current[name])} → " if name in current else "" for name in changed}
    return changed, [
        f"{_LABELS.get(name, name)}: {before[name]}{_shown(name, value)}" for name, value in changed.items()
    ]


def _now(current: Mapping[str, object], name: str) -> tuple[object, bool]:
    value = current.get(name)
    return value or None, value is False


def _amount(limit: LimitName, amount: int) -> str:
    return show_nano(amount) if limit[0] == "money" else str(amount)


def _shown(name: str, value: object) -> str:
    if value is None:
        return "never" if name == "expires_at" else "default"
    if name == "expires_at" and isinstance(value, int):
        return show_moment(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
