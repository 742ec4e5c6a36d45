"""What a caller asks to be limited otherwise: read from a body, and applied to the limits of a scope. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.errors import InvalidRequest
from gateway.core.limits import LARGEST_LIMIT, meter_of
from gateway.core.records import Limit
from gateway.organization.parameters import Body

KINDS = ("money", "tokens", "requests", "concurrency")
WINDOWS = ("now", "minute", "hour", "day", "week", "month", "total")


@dataclass(slots=True, frozen=True)
class LimitChange:
    """The new limit of a kind in a window, in the kind's unit; None takes it away."""

    kind: str
    window: str
    limit: int | None


def read_limit_changes(body: Body) -> tuple[LimitChange, ...]:
    """The member `limits`: objects of kind, window (for concurrency `now` may be left out) and limit, or null."""
    return tuple(_read_change(each) for each in body.objects("limits") or ())


def changed_limits(limits: Sequence[Limit], changes: Sequence[LimitChange]) -> tuple[Limit, ...]:
    """The limits of a scope afterwards. What no change names stays as it is."""
    found = {(limit.kind, limit.window): limit for limit in limits}
    for change in changes:
        if change.limit is None:
            found.pop((change.kind, change.window), None)
        else:
            found[change.kind, change.window] = Limit(change.kind, change.limit, change.window)
    return tuple(found.values())


def changes_text(changes: Sequence[LimitChange]) -> str:
    """For the audit stream: `requests/minute=60 tokens/day=none`."""
    return " ".join(f"{each.kind}/{each.window}={'none' if each.limit is None else each.limit}" for each in changes)


def _read_change(body: Body) -> LimitChange:
    kind = body.required_choice("kind", KINDS)
    window = "now" if kind == "concurrency" and not body.has("window") else body.required_choice("window", WINDOWS)
    limit = body.integer("limit", 0, LARGEST_LIMIT)
    body.done()
    try:
        meter_of(Limit(kind, limit or 0, window), 0)
    except ValueError as error:
        raise InvalidRequest(
            f"Invalid 'limits': {error}. Concurrency is limited in the window 'now', everything else in any other.",
            param="limits",
            code="invalid_value",
        ) from error
    return LimitChange(kind, window, limit)
