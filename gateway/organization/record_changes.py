"""What a caller asks a key or a project to become: read from a body, applied to the record, told to the audit. Pure."""

from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.catalog import Catalog
from gateway.core.errors import InvalidRequest
from gateway.core.records import Key, Project
from gateway.organization.change import EventDetails
from gateway.organization.limit_changes import LimitChange, changed_limits, changes_text, read_limit_changes
from gateway.organization.parameters import Body
from gateway.organization.rules import NO_CHANGE, RulesChange, changed_rules, read_rules, rules_text

MAX_EXPIRY_SECONDS = 31_536_000  # OpenAI's bound: a year
_LATEST_EXPIRY = 4_102_444_800  # 2100-01-01


@dataclass(slots=True, frozen=True)
class KeyChange:
    """What is to become of a key; what is None, UNSET or empty stays as it is. `expires_at` None: never."""

    name: str | None = None
    owner: str | None = None  # id or name of a service account
    expires_at: int | UnsetType | None = UNSET
    disabled: bool | None = None
    limits: tuple[LimitChange, ...] = ()
    rules: RulesChange = NO_CHANGE

    def applied(self, key: Key) -> Key:
        """The key afterwards, but for its owner. Raises InvalidRequest."""
        return msgspec.structs.replace(
            key,
            name=self.name or key.name,
            expires_at=key.expires_at if self.expires_at is UNSET else self.expires_at,
            disabled=key.disabled if self.disabled is None else self.disabled,
            limits=changed_limits(key.limits, self.limits),
            rules=changed_rules(key.rules, self.rules),
        )

    def details(self) -> EventDetails:
        """What changes, for the audit stream."""
        found: EventDetails = {"name": self.name, "owner": self.owner}
        if self.expires_at is not UNSET:
            found["expires_at"] = self.expires_at or "never"
        if self.disabled is not None:
            found["disabled"] = str(self.disabled).lower()
        return {name: value for name, value in found.items() if value is not None} | _told(self.limits, self.rules)


@dataclass(slots=True, frozen=True)
class ProjectChange:
    """What is to become of a project; what is None or empty stays as it is."""

    name: str | None = None
    limits: tuple[LimitChange, ...] = ()
    rules: RulesChange = NO_CHANGE

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return self == ProjectChange()

    def applied(self, project: Project) -> Project:
        """The project afterwards. Raises InvalidRequest."""
        return msgspec.structs.replace(
            project,
            name=self.name or project.name,
            limits=changed_limits(project.limits, self.limits),
            rules=changed_rules(project.rules, self.rules),
        )

    def details(self) -> EventDetails:
        """What changes, for the audit stream."""
        named: EventDetails = {} if self.name is None else {"name": self.name}
        return named | _told(self.limits, self.rules)


def read_key_change(body: Body, catalog: Catalog, now: int) -> KeyChange:
    """Everything a key can be told, of a new one too. `now` is unix seconds. Raises InvalidRequest."""
    return KeyChange(
        name=body.text("name"),
        owner=body.text("owner"),
        expires_at=_read_expiry(body, now),
        disabled=body.flag("disabled"),
        limits=read_limit_changes(body, catalog),
        rules=read_rules(body, catalog),
    )


def read_project_change(body: Body, catalog: Catalog) -> ProjectChange:
    """Everything a project can be told, a new one too. Raises InvalidRequest."""
    return ProjectChange(
        body.text("name"), read_limit_changes(body, catalog), read_rules(body, catalog, of_project=True)
    )


def _read_expiry(body: Body, now: int) -> int | UnsetType | None:
    seconds = body.integer("expires_in_seconds", 1, MAX_EXPIRY_SECONDS)
    moment = body.integer("expires_at", 0, _LATEST_EXPIRY)
    if seconds is not None and (moment is not None or body.is_null("expires_at")):
        raise InvalidRequest(
            "'expires_in_seconds' and 'expires_at' cannot be used together.", param="expires_at", code="invalid_value"
        )
    if moment is not None and moment <= now:
        raise InvalidRequest(
            f"Invalid 'expires_at': it must be after now ({now}). To stop a key at once, disable or delete it.",
            param="expires_at",
            code="invalid_value",
        )
    if seconds is not None:
        return now + seconds
    return None if body.is_null("expires_at") else UNSET if moment is None else moment


def _told(limits: tuple[LimitChange, ...], rules: RulesChange) -> EventDetails:
    found: EventDetails = {}
    if limits:
        found["limits"] = changes_text(limits)
    if rules != NO_CHANGE:
        found["rules"] = rules_text(rules)
    return found
