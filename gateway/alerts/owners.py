"""Reads whose budgets are to be watched: records with their limits, and spend alerts. It writes nothing."""

from collections.abc import Collection, Sequence

from gateway.core.alerts import Owner, SpendAlert
from gateway.core.limits import limits_of
from gateway.core.records import Key, Organization, Project
from gateway.store.contract import Reply, Store
from gateway.store.layout import Layout
from gateway.store.stored import readable, stored

Subject = tuple[str, str]
"""A scope and the id of its organisation (empty), project or key."""

_decode_organization = stored(Organization, "organization")
_decode_project = stored(Project, "project")
_decode_key = stored(Key, "key")
_decode_alert = stored(SpendAlert, "alert")


def counters(owner: Owner) -> str:
    """The name under which an owner's counters lie (`Layout.spent`)."""
    return {"organization": "o", "project": f"p:{owner.id}", "key": f"k:{owner.id}"}[owner.scope]


def spend_alerts_key(layout: Layout, project_id: str | None) -> str:
    """Where the spend alerts of a project, or of the organisation, lie."""
    return layout.shared("spend_alerts", "o" if project_id is None else f"p:{project_id}")


async def read_owners(store: Store, layout: Layout, subjects: Collection[Subject]) -> list[Owner]:
    """The owners among these that exist."""
    projects = [name for scope, name in subjects if scope == "project"]
    keys = [name for scope, name in subjects if scope == "key"]
    found = await _keys(store, layout, keys) + await _projects(store, layout, projects)
    if any(scope == "organization" for scope, _ in subjects):
        found += await _organization(store, layout)
    return found


async def _organization(store: Store, layout: Layout) -> list[Owner]:
    data, alerts = await store.pipeline(
        [("HGET", layout.shared("org"), "data"), ("HVALS", spend_alerts_key(layout, None))]
    )
    records = readable(_decode_organization, [data] if data else [])
    return [
        Owner("organization", each.id, "organization", limits_of(each.spend_limit, each.limits), _spend_alerts(alerts))
        for each in records
    ]


async def _projects(store: Store, layout: Layout, ids: Sequence[str]) -> list[Owner]:
    commands = [("HGET", layout.project(each), "data") for each in ids]
    commands += [("HVALS", spend_alerts_key(layout, each)) for each in ids]  # type: ignore[misc]  # of two lengths
    replies = await store.pipeline(commands)
    found = []
    for data, alerts in zip(replies[: len(ids)], replies[len(ids) :], strict=True):
        for record in readable(_decode_project, [data] if data else []):
            limits = limits_of(record.spend_limit, record.limits)
            found.append(Owner("project", record.id, record.name, limits, _spend_alerts(alerts)))
    return found


async def _keys(store: Store, layout: Layout, ids: Sequence[str]) -> list[Owner]:
    if not ids:
        return []
    hashes = await store.command("HMGET", layout.shared("key_hashes"), *ids)
    replies = await store.pipeline([("HGET", layout.key(each.decode()), "data") for each in hashes if each])
    records = readable(_decode_key, [data for data in replies if data])
    return [Owner("key", record.id, record.name, limits_of(None, record.limits)) for record in records]


def _spend_alerts(values: Sequence[Reply]) -> list[SpendAlert]:
    return readable(_decode_alert, values)
