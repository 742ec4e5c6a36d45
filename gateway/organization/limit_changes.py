"""What a caller asks to be limited otherwise: read from a body, and applied to the limits of a scope. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.catalog import Catalog
from gateway.core.errors import InvalidRequest
from gateway.core.limits import LARGEST_LIMIT, meter_of
from gateway.core.records import Limit
from gateway.organization.model_names import model_id
from gateway.organization.parameters import Body

KINDS = ("money", "tokens", "requests", "neurons", "concurrency")
WINDOWS = ("now", "minute", "hour", "day", "week", "month", "total")


@dataclass(slots=True, frozen=True)
class LimitChange:
    """The new limit of a kind in a window, perhaps of one model only, in the kind's unit; None takes it away."""

    kind: str
    window: str
    limit: int | None
    model: str | None = None

    @property
    def place(self) -> tuple[str, str, str | None]:
        """Which limit of a scope it is."""
        return self.kind, self.window, self.model


def read_limit_changes(body: Body, catalog: Catalog) -> tuple[LimitChange, ...]:
    """The member `limits`: objects of kind, window (for concurrency `now` may be left out), limit or null, maybe model.

    Raises InvalidRequest.
    """
    return tuple(_read_change(each, catalog) for each in body.objects("limits") or ())


def changed_limits(limits: Sequence[Limit], changes: Sequence[LimitChange]) -> tuple[Limit, ...]:
    """The limits of a scope afterwards. What no change names stays as it is."""
    found = {(limit.kind, limit.window, limit.model): limit for limit in limits}
    for change in changes:
        if change.limit is None:
            found.pop(change.place, None)
        else:
            found[change.place] = Limit(change.kind, change.limit, change.window, change.model)
    return tuple(found.values())


def changes_text(changes: Sequence[LimitChange]) -> str:
    """For the audit stream: `requests/minute=60 tokens/day=none`."""
    named = [("/".join(part for part in each.place if part), each.limit) for each in changes]
    return " ".join(f"{name}={'none' if limit is None else limit}" for name, limit in named)


def _read_change(body: Body, catalog: Catalog) -> LimitChange:
    kind = body.required_choice("kind", KINDS)
    window = "now" if kind == "concurrency" and not body.has("window") else body.required_choice("window", WINDOWS)
    limit = body.integer("limit", 0, LARGEST_LIMIT)
    named = body.text("model")
    model = None if named is None else model_id(named, catalog, "model")
    body.done()
    try:
        meter_of(Limit(kind, limit or 0, window, model), 0)
    except ValueError as error:
        raise InvalidRequest(
            f"Invalid 'limits': {error}. Concurrency is limited in the window 'now', everything else in any other; of "
            "one model in a minute, an hour or a day.",
            param="limits",
            code="invalid_value",
        ) from error
    return LimitChange(kind, window, limit, model)
