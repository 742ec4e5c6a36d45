"""What the admin API answers: OpenAI's objects, field for field, and ours in the same style. Pure data and conversions.

Every field is always present, null where it has no value. It decides nothing.
"""

from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

import msgspec

from gateway.core.records import Key, Limit, Project, SpendLimit
from gateway.organization.credentials import IssuedKey, ServiceAccount
from gateway.organization.money import cents
from gateway.organization.rules import RulesMembers, rules_members

T = TypeVar("T")


class ProjectObject(RulesMembers, kw_only=True):
    """A project. `limits`, `log_content`, `queue_weight` and the members of `RulesMembers` are ours."""

    id: str
    object: str = "organization.project"
    name: str
    created_at: int
    archived_at: int | None
    status: Literal["active", "archived"]
    limits: Sequence[Limit]
    log_content: bool | None
    queue_weight: int | None


class AccountObject(msgspec.Struct, kw_only=True):
    """A service account."""

    id: str
    object: str = "organization.project.service_account"
    name: str
    role: str = "member"
    created_at: int


class IssuedKeyObject(msgspec.Struct, kw_only=True):
    """A fresh key or secret: the only object that carries `value`. `previous_valid_until` is ours."""

    id: str
    object: str = "organization.project.service_account.api_key"
    value: str
    name: str
    created_at: int
    expires_at: int | None
    previous_valid_until: int | None


class NewAccountObject(msgspec.Struct, kw_only=True):
    """A fresh service account, with its first key unless none was wanted."""

    id: str
    object: str = "organization.project.service_account"
    name: str
    role: Literal["member", "none"]
    created_at: int
    api_key: IssuedKeyObject | None


class KeyOwner(msgspec.Struct, kw_only=True):
    """Whose key it is; here always a service account."""

    type: str = "service_account"
    service_account: AccountObject | None
    user: None = None


class KeyObject(RulesMembers, kw_only=True):
    """A virtual API key. `project_id`, what follows and the members of `RulesMembers` are ours; limits are in their
    kinds' units.
    """

    id: str
    object: str = "organization.project.api_key"
    name: str
    redacted_value: str
    created_at: int
    last_used_at: int | None
    expires_at: int | None
    owner_project_access: Literal["active", "inactive"]
    owner: KeyOwner
    project_id: str
    revoked_at: int | None
    disabled: bool
    previous_valid_until: int | None
    limits: Sequence[Limit]


class Enforcement(msgspec.Struct):
    """`enforcing` while the budget of this month is used up, so that requests are refused."""

    status: Literal["inactive", "enforcing"]


class SpendLimitObject(msgspec.Struct, kw_only=True):
    """A hard budget. `threshold_amount` is in cents; `used_amount`, ours, what is spent of it this month, in cents."""

    object: str
    threshold_amount: msgspec.Raw
    currency: str = "USD"
    interval: str
    enforcement: Enforcement
    used_amount: msgspec.Raw


class Deleted(msgspec.Struct, kw_only=True):
    """Confirms that an object is gone."""

    id: str
    object: str
    deleted: bool = True


class LimitDeleted(msgspec.Struct, kw_only=True):
    """Confirms that a limit, which has no id, is gone."""

    object: str
    deleted: bool = True


class ObjectList(msgspec.Struct, Generic[T], kw_only=True):
    """A page of a list that goes on after `last_id`."""

    object: str = "list"
    data: Sequence[T]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Page(msgspec.Struct, Generic[T], kw_only=True):
    """A page that goes on at the cursor `next_page`."""

    object: str = "page"
    data: Sequence[T]
    has_more: bool
    next_page: str | None


def project_object(project: Project) -> ProjectObject:
    """A project as OpenAI shows it."""
    return ProjectObject(
        id=project.id,
        name=project.name,
        created_at=project.created,
        archived_at=project.archived_at,
        status="active" if project.archived_at is None else "archived",
        limits=project.limits,
        log_content=project.rules.log_content,
        queue_weight=project.rules.queue_weight,
        **rules_members(project.rules),
    )


def account_object(account: ServiceAccount) -> AccountObject:
    """A service account as OpenAI shows it."""
    return AccountObject(id=account.id, name=account.name, created_at=account.created)


def issued_key_object(issued: IssuedKey) -> IssuedKeyObject:
    """A fresh key with its secret."""
    key = issued.key
    return IssuedKeyObject(
        id=key.id,
        value=issued.secret,
        name=key.name,
        created_at=key.created,
        expires_at=key.expires_at,
        previous_valid_until=key.previous.until if key.previous else None,
    )


def key_object(key: Key, project: Project, account: ServiceAccount | None, last_used: int | None) -> KeyObject:
    """A key as OpenAI shows it."""
    has_access = project.archived_at is None and key.revoked_at is None and not key.disabled
    return KeyObject(
        id=key.id,
        name=key.name,
        redacted_value=key.redacted,
        created_at=key.created,
        last_used_at=last_used,
        expires_at=key.expires_at,
        owner_project_access="active" if has_access else "inactive",
        owner=KeyOwner(service_account=account_object(account) if account else None),
        project_id=key.project_id,
        revoked_at=key.revoked_at,
        disabled=key.disabled,
        previous_valid_until=key.previous.until if key.previous else None,
        limits=key.limits,
        **rules_members(key.rules),
    )


def spend_limit_object(name: str, limit: SpendLimit, used_nano: int) -> SpendLimitObject:
    """A budget with what is used of it; `name` is the object type."""
    return SpendLimitObject(
        object=name,
        threshold_amount=cents(limit.limit_nano),
        interval=limit.interval,
        enforcement=Enforcement("enforcing" if used_nano >= limit.limit_nano else "inactive"),
        used_amount=cents(used_nano),
    )
