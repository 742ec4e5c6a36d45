"""Endpoint of all spend limits at once, each with what is used and held of it: how close every scope is. Ours."""

from collections.abc import Sequence
from datetime import tzinfo

import msgspec

from gateway.core.limits import Meter, window_at
from gateway.core.records import Organization, Project, SpendLimit
from gateway.organization.exchange import Question
from gateway.organization.listing import object_list, read_part, read_records
from gateway.organization.money import cents
from gateway.organization.objects import Enforcement, ObjectList
from gateway.organization.registry import Registry


class ScopeLimitObject(msgspec.Struct, kw_only=True):
    """A hard budget of a scope. Amounts are cents: the limit, what this month used of it, what requests hold now."""

    id: str
    object: str = "organization.scope_spend_limit"
    scope: str  # "organization" or "project"
    name: str | None
    threshold_amount: msgspec.Raw
    used_amount: msgspec.Raw
    held_amount: msgspec.Raw
    currency: str = "USD"
    interval: str
    resets_at: int | None
    enforcement: Enforcement


async def list_limits(question: Question) -> ObjectList[ScopeLimitObject]:
    """GET /spend_limits: on the first page the organisation's limit, then those of projects."""
    registry = question.service.registry
    part = read_part(question.query)
    question.query.done()
    index = registry.layout.shared("projects")
    projects, has_more = await read_records(registry.store, index, part, registry.projects_of, _is_limited)
    owners: list[Organization | Project] = [*projects]
    if part.after is None:
        owners.insert(0, await registry.organization())
    return object_list(await read_limits(registry, owners), has_more=has_more)


async def read_limits(registry: Registry, owners: Sequence[Organization | Project]) -> list[ScopeLimitObject]:
    """The limits of those that have one."""
    moment_ms = await registry.now() * 1000
    limited = [(owner, owner.spend_limit) for owner in owners if owner.spend_limit is not None]
    meters = [_meter(limit, moment_ms, registry.layout.zone) for _, limit in limited]
    counters = await registry.store.pipeline(
        [
            ("HMGET", registry.layout.spent(_scope(owner)), meter.used_field, meter.held_field)
            for (owner, _), meter in zip(limited, meters, strict=True)
        ]
    )
    return [
        _limit_object(owner, meter, [int(count or 0) for count in counts])
        for (owner, _), meter, counts in zip(limited, meters, counters, strict=True)
    ]


def _is_limited(project: Project) -> bool:
    return project.spend_limit is not None and project.archived_at is None


def _meter(limit: SpendLimit, moment_ms: int, zone: tzinfo) -> Meter:
    return Meter("money", window_at("month", moment_ms, zone), limit.limit_nano)


def _scope(owner: Organization | Project) -> str:
    return f"p:{owner.id}" if isinstance(owner, Project) else "o"


def _limit_object(owner: Organization | Project, meter: Meter, counts: Sequence[int]) -> ScopeLimitObject:
    used, held = counts
    project = owner if isinstance(owner, Project) else None
    return ScopeLimitObject(
        id=owner.id,
        scope="project" if project else "organization",
        name=project.name if project else None,
        threshold_amount=cents(meter.limit),
        used_amount=cents(used),
        held_amount=cents(held),
        interval=meter.window.name,
        resets_at=meter.resets_at,
        enforcement=Enforcement("enforcing" if used >= meter.limit else "inactive"),
    )
