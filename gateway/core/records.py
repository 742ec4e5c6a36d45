"""Who may spend: organisation, project and key, as they lie in the store.

Each record carries a version; the hold step compares versions, so a cached record is never trusted for permission.
"""

import msgspec


class SpendLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A hard budget in nano-dollars per calendar month (UTC)."""

    limit_nano: int
    interval: str = "month"


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A hard limit of a scope. At most one per kind and window counts: the smallest.

    kind: money (nano-dollars), tokens, requests, or concurrency (requests in flight), which goes with the window "now".
    window: minute or hour (rolling), day, week or month (of the calendar), total.
    """

    kind: str
    limit: int
    window: str


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


class Identity(msgspec.Struct, frozen=True):
    """What a bearer token stands for."""

    organization: Organization
    project: Project
    key: Key
    key_hash: str  # SHA-256 of the secret, hex: the store's name for the key

    def is_valid(self, moment: float) -> bool:
        """Whether key and project may still be used at `moment` (unix seconds)."""
        is_expired = self.key.expires_at is not None and self.key.expires_at <= moment
        is_withdrawn = self.key.revoked_at is not None or self.key.disabled
        return not is_withdrawn and not is_expired and self.project.archived_at is None
