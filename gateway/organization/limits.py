"""Endpoints of limits of every kind, with what is used and held of each: of organisation, project, key. All ours."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from gateway.core.limits import Meter, limits_of, meter_of, rolling_sums, shown_amount, spent_scopes
from gateway.core.records import Key, Limit, Organization, Project
from gateway.organization.credentials import no_such_key
from gateway.organization.exchange import Question
from gateway.organization.limit_changes import read_limit_changes
from gateway.organization.listing import Part, object_list, read_records
from gateway.organization.objects import ObjectList
from gateway.organization.record_changes import KeyChange, ProjectChange
from gateway.organization.registry import Registry
from gateway.store.contract import Reply

_MOST_LIMITED = 200  # projects whose limits are looked at together


class LimitObject(msgspec.Struct, kw_only=True):
    """A limit. Amounts are in the kind's unit: nano-dollars, tokens, requests, neurons, requests at once."""

    id: str  # of the organisation, project or key
    object: str = "organization.limit"
    scope: str  # "organization", "project" or "key"
    kind: str
    window: str
    limit: int
    used: int
    held: int
    remaining: int
    resets_at: int | None  # unix seconds: the end of a calendar window
    model: str | None = None  # the only one whose use counts


@dataclass(slots=True, frozen=True)
class _Owner:
    """Whose limits: what they are called, where they are counted, which there are."""

    scope: str
    id: str
    counters: str
    limits: list[Limit]


async def list_organization_limits(question: Question) -> ObjectList[LimitObject]:
    """GET /limits"""
    question.query.done()
    return await _listed(question, _of_organization(await question.service.registry.organization()))


async def update_organization_limits(question: Question) -> ObjectList[LimitObject]:
    """POST /limits"""
    changes = read_limit_changes(question.body, question.service.catalog())
    question.body.done()
    return await _listed(
        question, _of_organization(await question.service.registry.alter_organization_limits(changes, question.actor))
    )


async def list_project_limits(question: Question) -> ObjectList[LimitObject]:
    """GET /projects/{project_id}/limits"""
    question.query.done()
    return await _listed(question, _of_project(await question.service.registry.project(question.path["project_id"])))


async def update_project_limits(question: Question) -> ObjectList[LimitObject]:
    """POST /projects/{project_id}/limits"""
    change = ProjectChange(limits=read_limit_changes(question.body, question.service.catalog()))
    question.body.done()
    registry = question.service.registry
    return await _listed(
        question, _of_project(await registry.alter_project(question.path["project_id"], change, question.actor))
    )


async def list_key_limits(question: Question) -> ObjectList[LimitObject]:
    """GET /projects/{project_id}/api_keys/{key_id}/limits"""
    question.query.done()
    path = question.path
    key = await question.service.credentials.key(path["project_id"], path["key_id"])
    if key.revoked_at is not None:
        raise no_such_key(key.id)
    return await _listed(question, _of_key(key))


async def update_key_limits(question: Question) -> ObjectList[LimitObject]:
    """POST /projects/{project_id}/api_keys/{key_id}/limits"""
    change = KeyChange(limits=read_limit_changes(question.body, question.service.catalog()))
    question.body.done()
    path = question.path
    key = await question.service.credentials.change_key(path["project_id"], path["key_id"], change, question.actor)
    return await _listed(question, _of_key(key))


async def list_own_limits(question: Question) -> ObjectList[LimitObject]:
    """GET /limits/me, with a virtual key: its own limits and its project's. The organisation's are not shown."""
    question.query.done()
    viewer, service = question.viewer, question.service
    if viewer.project_id is None or viewer.api_key_id is None:
        raise AssertionError("only virtual keys are admitted here")
    key = await service.credentials.key(viewer.project_id, viewer.api_key_id)
    project = await service.registry.project(viewer.project_id)
    return await _listed(question, _of_key(key), _of_project(project))


def _of_organization(record: Organization) -> _Owner:
    return _Owner("organization", record.id, spent_scopes("", "")[0], limits_of(record.spend_limit, record.limits))


def _of_project(record: Project) -> _Owner:
    return _Owner("project", record.id, spent_scopes(record.id, "")[1], limits_of(record.spend_limit, record.limits))


def _of_key(record: Key) -> _Owner:
    return _Owner("key", record.id, spent_scopes("", record.id)[2], limits_of(None, record.limits))


async def list_all_limits(question: Question) -> ObjectList[LimitObject]:
    """GET /limits/all: the organisation's and those of up to 200 projects."""
    question.query.done()
    return object_list(await read_limits_of_all(question.service.registry), has_more=False)


async def read_limits_of_all(registry: Registry) -> list[LimitObject]:
    """The organisation's limits and those of projects, the oldest limited ones first, as far as one looks."""
    part = Part(after=None, limit=_MOST_LIMITED, is_descending=False)
    index = registry.layout.shared("projects")
    projects, _ = await read_records(registry.store, index, part, registry.projects_of, _is_limited)
    owners = [_of_organization(await registry.organization()), *map(_of_project, projects)]
    return await _standings(registry, owners)


def _is_limited(project: Project) -> bool:
    return bool(project.spend_limit is not None or project.limits) and project.archived_at is None


async def _listed(question: Question, *owners: _Owner) -> ObjectList[LimitObject]:
    return object_list(await _standings(question.service.registry, owners), has_more=False)


async def _standings(registry: Registry, owners: Sequence[_Owner]) -> list[LimitObject]:
    now_ms = await registry.now() * 1000
    asked = [(owner, meter_of(limit, now_ms, registry.layout.zone)) for owner in owners for limit in owner.limits]
    counts = await registry.store.pipeline(
        [("HMGET", registry.layout.spent(owner.counters), meter.used_field, meter.held_field) for owner, meter in asked]
    )
    return [_limit_object(owner, meter, found, now_ms) for (owner, meter), found in zip(asked, counts, strict=True)]


def _limit_object(owner: _Owner, meter: Meter, counts: Sequence[Reply], now_ms: int) -> LimitObject:
    used, held = (0 if meter.slot_ms else int(count or 0) for count in counts)
    if meter.slot_ms:
        used, held = rolling_sums(counts[0], meter.slot_ms, now_ms)
    return LimitObject(
        id=owner.id,
        scope=owner.scope,
        kind=meter.kind,
        window=meter.window.name,
        limit=shown_amount(meter.kind, meter.limit),
        used=shown_amount(meter.kind, used),
        held=shown_amount(meter.kind, held),
        remaining=max(0, shown_amount(meter.kind, meter.limit) - shown_amount(meter.kind, used + held)),
        resets_at=meter.resets_at,
        model=meter.model,
    )
