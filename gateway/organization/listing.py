"""Lists that go on after an id, as OpenAI pages them: which part was asked for, and reading it. No wire format.

The ids of a list lie in a sorted set by time of creation and never leave it; objects that are gone are skipped.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gateway.core.errors import InvalidRequest
from gateway.organization.objects import ObjectList
from gateway.organization.parameters import Query
from gateway.store.contract import Store

_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100
_CHUNK = 101  # a full page and the one that tells whether there is more


class Identified(Protocol):
    """Anything with an id."""

    id: str


IdentifiedT = TypeVar("IdentifiedT", bound=Identified)
RecordT = TypeVar("RecordT")


@dataclass(slots=True, frozen=True)
class Part:
    """The part of a list that was asked for."""

    after: str | None
    limit: int
    is_descending: bool


def read_part(query: Query) -> Part:
    """`after`, `limit` (1 to 100, 20) and `order` (`asc`)."""
    return Part(
        after=query.text("after"),
        limit=query.integer("limit", 1, _MAX_LIMIT) or _DEFAULT_LIMIT,
        is_descending=query.text("order", ("asc", "desc")) == "desc",
    )


async def read_records(
    store: Store,
    index: str,
    part: Part,
    fetch: Callable[[Sequence[str]], Awaitable[Sequence[RecordT]]],
    keep: Callable[[RecordT], bool],
) -> tuple[list[RecordT], bool]:
    """The records of one page of the sorted set `index`, and whether there are more. Raises InvalidRequest."""
    position = 0
    if part.after is not None:
        rank = await store.command("ZREVRANK" if part.is_descending else "ZRANK", index, part.after)
        if rank is None:
            raise _unknown_cursor(part.after)
        position = rank + 1
    found: list[RecordT] = []
    while len(found) <= part.limit:
        ids = await store.command(
            "ZREVRANGE" if part.is_descending else "ZRANGE", index, position, position + _CHUNK - 1
        )
        if not ids:
            break
        position += len(ids)
        records = await fetch([each.decode() for each in ids])
        found += [record for record in records if keep(record)]
    return found[: part.limit], len(found) > part.limit


def cut_part(items: Sequence[IdentifiedT], part: Part) -> ObjectList[IdentifiedT]:
    """One page of a list that is wholly at hand, oldest first. Raises InvalidRequest."""
    ordered = list(reversed(items)) if part.is_descending else list(items)
    start = 0
    if part.after is not None:
        ids = [item.id for item in ordered]
        if part.after not in ids:
            raise _unknown_cursor(part.after)
        start = ids.index(part.after) + 1
    chosen = ordered[start : start + part.limit]
    return object_list(chosen, has_more=len(ordered) > start + part.limit)


def object_list(items: Sequence[IdentifiedT], *, has_more: bool) -> ObjectList[IdentifiedT]:
    """A list object around one page."""
    return ObjectList(
        data=items,
        first_id=items[0].id if items else None,
        last_id=items[-1].id if items else None,
        has_more=has_more,
    )


def _unknown_cursor(after: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid 'after': there is no '{after}' in this list.", param="after", code="invalid_value")
