"""Who may spend: organisation, project and key, as they lie in the store.

Each record carries a version; the hold step compares versions, so a cached record is never trusted for permission.
"""

from functools import cached_property
from typing import Literal

import msgspec

from gateway.core.access import Access

OnDisconnect = Literal["cancel", "drain"]
OnStoreDown = Literal["deny", "allow"]
OnRevoke = Literal["cut", "finish"]
AdminRole = Literal["admin", "viewer"]


class SpendLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A hard budget in nano-dollars per calendar month (UTC)."""

    limit_nano: int
    interval: str = "month"


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A hard limit of a scope. At most one per kind and window counts: the smallest.

    kind: money (nano-dollars), tokens, requests, neurons (whole ones), or concurrency (requests in flight), which goes
    with the window "now".
    window: minute or hour (rolling), day, week or month (of the calendar), total.
    model: only what this model serves counts, in a minute, an hour or a day, which all roll; None: everything.
    """

    kind: str
    limit: int
    window: str
    model: str | None = None


class Rules(msgspec.Struct, frozen=True, omit_defaults=True):
    """How requests of a project or key are treated. None leaves it to the project, there to the default.

    `allowed_models` are the ids of the models that may serve, `allowed_routes` the names of the routes that may be
    asked for (a model's own id is no route); None allows all. A key's lists narrow its project's.
    """

    allowed_models: tuple[str, ...] | None = None
    allowed_routes: tuple[str, ...] | None = None
    default_route: str | None = None
    on_disconnect: OnDisconnect | None = None  # default: cancel
    drain_tokens: int | None = None  # a drain reads on for at most so many tokens …
    drain_seconds: int | None = None  # … and so long
    on_store_down: OnStoreDown | None = None  # default: deny
    on_revoke: OnRevoke | None = None  # running streams; default: cut
    log_content: bool | None = None  # prompts and answers go to the log; default: never
    tags: dict[str, str] = {}  # written into every row
    queue_weight: int | None = None  # of a project: its share where requests wait for the account; default: 1

    def within(self, outer: "Rules") -> "Rules":
        """These rules where they say something, else those of the larger scope; allow-lists and tags are combined."""
        inner = {name: getattr(self, name) for name in self.__struct_fields__}
        outers = {name: getattr(outer, name) for name in self.__struct_fields__}
        merged = {name: outers[name] if value is None else value for name, value in inner.items()}
        for name in ("allowed_models", "allowed_routes"):
            if inner[name] is not None and outers[name] is not None:
                merged[name] = tuple(entry for entry in inner[name] if entry in outers[name])
        merged["tags"] = {**outer.tags, **self.tags}
        return Rules(**merged)


class Organization(msgspec.Struct, frozen=True, omit_defaults=True):
    """The whole gateway."""

    id: str
    version: int
    spend_limit: SpendLimit | None = None
    limits: tuple[Limit, ...] = ()


class Project(msgspec.Struct, frozen=True, omit_defaults=True):
    """A team's share."""

    id: str
    version: int
    name: str
    created: int  # unix seconds
    archived_at: int | None = None
    spend_limit: SpendLimit | None = None
    limits: tuple[Limit, ...] = ()
    rules: Rules = Rules()


class PreviousSecret(msgspec.Struct, frozen=True):
    """What a key's secret was before it was rotated: good until then (unix seconds)."""

    key_hash: str
    until: int
    redacted: str


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """A virtual API key. The secret itself is never stored: records lie under its SHA-256."""

    id: str
    version: int
    project_id: str
    name: str
    created: int  # unix seconds
    redacted: str  # "sk-…abcd"
    service_account_id: str
    expires_at: int | None = None
    revoked_at: int | None = None
    disabled: bool = False
    limits: tuple[Limit, ...] = ()
    rules: Rules = Rules()
    previous: PreviousSecret | None = None


class AdminKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """An admin API key: opens the admin API, as far as role and scope reach. Lies under its SHA-256, like a key."""

    id: str
    version: int
    name: str
    created: int  # unix seconds
    redacted: str  # "sk-admin-…abcd"
    created_by: str  # the name of the admin key that made it
    role: AdminRole = "admin"
    project_id: str | None = None  # reaches no further than this project; None: the whole organisation
    expires_at: int | None = None
    revoked_at: int | None = None

    def is_valid(self, moment: float) -> bool:
        """Whether it may still be used at `moment` (unix seconds)."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


class Identity(msgspec.Struct, frozen=True, dict=True):
    """What a bearer token stands for."""

    organization: Organization
    project: Project
    key: Key
    key_hash: str  # SHA-256 of the secret, hex: the store's name for the key

    @cached_property
    def rules(self) -> Rules:
        """What applies to the key's requests."""
        return self.key.rules.within(self.project.rules)

    @cached_property
    def access(self) -> Access:
        """What the key may use."""
        models, routes = self.rules.allowed_models, self.rules.allowed_routes
        return Access(
            None if models is None else frozenset(models),
            None if routes is None else frozenset(routes),
            self.project.id,
            self.rules.default_route,
        )

    @cached_property
    def limited_models(self) -> frozenset[str]:
        """The models that have a limit of their own in some scope."""
        scopes = (self.organization.limits, self.project.limits, self.key.limits)
        return frozenset(limit.model for limits in scopes for limit in limits if limit.model is not None)

    @property
    def versions(self) -> tuple[int, int, int]:
        """Of organisation, project and key: they change with every change of a record."""
        return self.organization.version, self.project.version, self.key.version

    @property
    def is_withdrawn(self) -> bool:
        """Whether somebody has revoked or disabled the key or archived the project."""
        return self.key.revoked_at is not None or self.key.disabled or self.project.archived_at is not None

    def is_valid(self, moment: float) -> bool:
        """Whether key and project may still be used at `moment` (unix seconds)."""
        is_expired = self.key.expires_at is not None and self.key.expires_at <= moment
        return not self.is_withdrawn and not is_expired
