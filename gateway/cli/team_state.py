"""What there is now of the projects and keys a file of teams is about. Reads through the admin API, writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from gateway.cli import views
from gateway.cli.connection import Connection, decode_all
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.session import keys_path
from gateway.config.teams import RULE_NAMES, LimitName


class _Limit(msgspec.Struct):
    kind: str
    window: str
    limit: int
    model: str | None = None

    @property
    def name(self) -> LimitName:
        """What it limits."""
        return self.kind, self.window, self.model or ""


class _Limits(msgspec.Struct):
    data: list[_Limit]


class _Key(views.Key, kw_only=True):
    limits: list[_Limit]


@dataclass(slots=True, frozen=True)
class CurrentKey:
    """A key that is not revoked. `owner` is its service account's name."""

    id: str
    owner: str
    expires: int | None
    is_disabled: bool
    limits: Mapping[LimitName, int]
    rules: Mapping[str, object]


@dataclass(slots=True, frozen=True)
class CurrentProject:
    """A project that is not archived; limits and keys of projects the file does not name are not read."""

    id: str
    limits: Mapping[LimitName, int] = field(default_factory=dict)
    rules: Mapping[str, object] = field(default_factory=dict)
    keys: Mapping[str, CurrentKey] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class State:
    """Everything by name."""

    organization_limits: Mapping[LimitName, int]
    projects: Mapping[str, CurrentProject]


def read_state(connection: Connection, names: frozenset[str]) -> State:
    """What there is of the projects with these names. Raises CommandFailed, also where names are not unique."""
    projects: dict[str, CurrentProject] = {}
    for each in decode_all(connection.items("/organization/projects"), views.Project):
        if each.name in projects and each.name in names:
            raise CommandFailed(
                f"Several projects are named '{each.name}'.", ExitCode.REFUSED, "`gateway projects update ID name=…`"
            )
        projects[each.name] = _project(connection, each) if each.name in names else CurrentProject(each.id)
    return State(_limits(connection, "/organization/limits"), projects)


def _project(connection: Connection, project: views.Project) -> CurrentProject:
    keys: dict[str, CurrentKey] = {}
    for key in decode_all(connection.items(keys_path(project.id)), _Key):
        if key.name in keys:
            raise CommandFailed(
                f"Several keys of project '{project.name}' are named '{key.name}'.",
                ExitCode.REFUSED,
                "Give one of them another name: `gateway keys update ID name=…`",
            )
        account = key.owner.service_account
        limits = {each.name: each.limit for each in key.limits}
        owner = "" if account is None else account.name
        keys[key.name] = CurrentKey(key.id, owner, key.expires_at, key.disabled, limits, _rules(key))
    return CurrentProject(
        project.id, _limits(connection, f"/organization/projects/{project.id}/limits"), _rules(project), keys
    )


def _limits(connection: Connection, path: str) -> dict[LimitName, int]:
    found = msgspec.json.decode(connection.get(path), type=_Limits).data
    return {each.name: each.limit for each in found}


def _rules(owner: views.Ruled) -> dict[str, object]:
    """As they are written in a file: None where nothing is said."""
    found = {name: msgspec.to_builtins(getattr(owner, name)) for name in RULE_NAMES}
    if found["drain_up_to"]:
        found["drain_up_to"] = {name: value for name, value in found["drain_up_to"].items() if value is not None}
    found["tags"] = found["tags"] or None
    return found
