"""Limits that a change adds to a scope: requests already in flight hold for them. Adds to a change; reads nothing."""

from collections.abc import Sequence

from gateway.core.limits import limits_of, meter_of
from gateway.core.records import Key, Limit, Organization, Project
from gateway.organization.change import Change
from gateway.store.layout import Layout

Limited = Organization | Project | Key


def bind_new_limits(change: Change, layout: Layout, before: Limited, after: Limited, moment: int) -> None:
    """Bind what `after` limits and `before` did not. `moment` is unix seconds, by the store's clock."""
    owner = _owner(after)
    known = {_place(limit) for limit in _limits(before)}
    for limit in _limits(after):
        if _place(limit) not in known:
            change.bind(layout, owner, meter_of(limit, moment * 1000, layout.zone))


def _limits(record: Limited) -> Sequence[Limit]:
    return limits_of(None if isinstance(record, Key) else record.spend_limit, record.limits)


def _place(limit: Limit) -> tuple[str, str, str | None]:
    return limit.kind, limit.window, limit.model


def _owner(record: Limited) -> tuple[int, str]:
    if isinstance(record, Organization):
        return 1, ""
    return (2, record.id) if isinstance(record, Project) else (3, record.id)
