"""Endpoint of the audit: who did what, from where, when, with what outcome, and what it changed.

OpenAI's list and objects. `outcome`, `request_id`, `changes`, and the actor's `name`, `ip_address`, `user_agent` are
ours.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.core.errors import InvalidRequest
from gateway.organization.audit import Act, Place, Search, read_place
from gateway.organization.exchange import Question
from gateway.organization.objects import ObjectList
from gateway.organization.parameters import Query
from gateway.store.stored import stored

_DEFAULT_LIMIT, _MAX_LIMIT = 20, 100
_LATEST_SECOND = 4_102_444_800  # 2100-01-01

_read = stored(dict[str, Any], "audit entry")  # whatever an act says of itself and of records

AuditObject = dict[str, object]


class AuditLog(msgspec.Struct):
    """One entry. The member named like its `type` is added where it is written out."""

    id: str
    object: str
    type: str
    effective_at: int
    actor: AuditObject
    outcome: str
    request_id: str
    changes: list[AuditObject]
    project: AuditObject | None = None


async def list_audit_logs(question: Question) -> ObjectList[Any]:  # members differ by type
    """GET /audit_logs: newest first; `after` goes on to older entries, `before` back to newer ones."""
    query = question.query
    search = _read_search(query)
    limit = query.integer("limit", 1, _MAX_LIMIT) or _DEFAULT_LIMIT
    after, before = _cursor(query, "after"), _cursor(query, "before")
    query.done()
    audit = question.service.audit
    if before is not None:
        found = await audit.newer(search, before, limit + 1)
        shown = found[-limit:]
    else:
        found = await audit.older(search, after, limit + 1)
        shown = found[:limit]
    ids = sorted({act.project_id for act in shown if act.project_id})
    names = {project.id: project.name for project in await question.service.registry.projects_of(ids)}
    return ObjectList(
        data=[_audit_object(act, names) for act in shown],
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=len(found) > limit,
    )


def _read_search(query: Query) -> Search:
    earliest, latest = 0, _LATEST_SECOND * 1000
    # In whole seconds: an entry of 12.7 s is at 12, thus not greater than 12 and less than 13.
    for name, is_lower, shift in (("gt", True, 1000), ("gte", True, 0), ("lt", False, -1), ("lte", False, 999)):
        second = query.integer(f"effective_at[{name}]", 0, _LATEST_SECOND)
        if second is not None and is_lower:
            earliest = max(earliest, second * 1000 + shift)
        elif second is not None:
            latest = max(0, min(latest, second * 1000 + shift))
    return Search(
        events=query.texts("event_types"),
        projects=query.texts("project_ids"),
        actors=query.texts("actor_ids"),
        targets=query.texts("resource_ids"),
        from_ms=earliest,
        until_ms=latest,
    )


def _cursor(query: Query, name: str) -> Place | None:
    value = query.text(name)
    place = read_place(value) if value is not None else None
    if value is not None and place is None:
        raise InvalidRequest(f"Invalid '{name}': there is no '{value}' in this list.", param=name, code="invalid_value")
    return place


def _audit_object(act: Act, names: dict[str, str]) -> AuditObject:
    """The entry as it is sent: OpenAI puts what differs by type under a member of the type's name."""
    log = AuditLog(
        id=act.id,
        object="organization.audit_log",
        type=act.event,
        effective_at=act.place[0] // 1000,
        actor=_actor_object(act),
        outcome="refused" if act.is_refused else "succeeded",
        request_id=act.request_id,
        changes=[change for before, after in act.records if (change := _difference(before, after))],
    )
    if act.project_id is not None:
        log.project = {"id": act.project_id, "name": names.get(act.project_id)}
    details = _read(act.details)
    said = {name: value for name, value in details.items() if value is not None and name != "project"}
    told = said if act.is_refused else {"data" if act.event.endswith(".created") else "changes_requested": said}
    return {**msgspec.structs.asdict(log), act.event: {"id": act.target, **told}}


def _actor_object(act: Act) -> AuditObject:
    who = act.who
    extra = {"name": who.name, "ip_address": who.address or None, "user_agent": who.agent or None}
    if who.is_session:
        return {"type": "session", "session": {"ip_address": who.address or None, "user": {}}, **extra}
    return {"type": "api_key", "api_key": {"id": who.key_id, "type": "user", "user": {}}, **extra}


def _difference(before: bytes, after: bytes) -> AuditObject:
    """The members of a record that are not what they were; its version aside, which always is another."""
    old, new = _members(before), _members(after)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name) and name != "version"]
    if not changed:
        return {}
    return {
        "id": new.get("id", old.get("id")),
        "before": _chosen(old, changed) if before else None,
        "after": _chosen(new, changed) if after else None,
    }


def _members(record: bytes) -> AuditObject:
    return _read(record) if record else {}


def _chosen(members: AuditObject, names: Sequence[str]) -> AuditObject:
    return {name: _without_hash(members.get(name)) for name in names}


def _without_hash(member: object) -> object:
    """Not what a rotated key's old secret hashed to: nobody has a use for it."""
    return {name: value for name, value in member.items() if name != "key_hash"} if isinstance(member, dict) else member
