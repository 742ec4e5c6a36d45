"""The parameters of OpenAI's usage and costs endpoints: which time buckets a caller asks for, and which page. Pure.

Buckets are aligned to UTC and always whole: one that begins before `start_time` or ends after `end_time` is shown with
everything in it. Each is one entry of the answer, empty ones too. It never reads the store.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.errors import InvalidRequest
from gateway.ledger.rollups import SECONDS, Dimension, UsageQuery, Width
from gateway.organization.parameters import Query, missing_parameter

_FAR_FUTURE: Final = 4_102_444_800  # 2100-01-01: further off there is nothing to ask for

# What the caller groups by, and the dimension of a roll-up it is. A line item is a model here. The others have one
# value only (there are no users and no batches), so they split nothing.
_DIMENSIONS: Final[dict[str, Dimension]] = {
    "project_id": "project",
    "api_key_id": "key",
    "model": "model",
    "line_item": "model",
}


@dataclass(slots=True, frozen=True)
class Report:
    """What an endpoint offers: per width the default and the greatest number of buckets, groupings, model filter."""

    limits: dict[Width, tuple[int, int]]
    groups: tuple[str, ...]
    models_parameter: str
    has_tags: bool = False  # may be split by the values of a tag (`tag`, ours)


@dataclass(slots=True, frozen=True)
class BucketQuestion:
    """A question about buckets. `next_page` is the cursor after this page, None on the last one."""

    usage: UsageQuery
    group_by: frozenset[str]
    next_page: str | None
    is_empty: bool  # filtered by a user or for batches, of which there are none


def read_question(query: Query, report: Report, now: int) -> BucketQuestion:
    """The question, its page applied. `now` is unix seconds, the default end. Raises InvalidRequest."""
    start = query.integer("start_time", 0, _FAR_FUTURE)
    if start is None:
        raise missing_parameter("start_time")
    end = query.integer("end_time", 0, _FAR_FUTURE) or max(now, start) + 1
    if end <= start:
        raise InvalidRequest(
            f"Invalid 'end_time': it must be after 'start_time' ({start}).", param="end_time", code="invalid_value"
        )
    width = _read_width(query, report)
    default, greatest = report.limits[width]
    limit = query.integer("limit", 1, greatest) or default
    seconds = SECONDS[width]
    first = _read_page(query, seconds, end) or start - start % seconds
    last = first + limit * seconds
    group_by = query.texts("group_by", report.groups)
    usage = UsageQuery(
        start=first,
        end=min(last, end),
        width=width,
        group_by=tuple(dict.fromkeys(_DIMENSIONS[name] for name in group_by if name in _DIMENSIONS)),
        project_ids=query.texts("project_ids"),
        api_key_ids=query.texts("api_key_ids"),
        models=query.texts(report.models_parameter),
        tag=query.text("tag") if report.has_tags else None,
    )
    if usage.tag is not None and (usage.needs_keys or width == "1m"):
        raise InvalidRequest(
            "Invalid 'tag': what is summed up by tag is so per hour or day, and knows no keys.",
            param="tag",
            code="invalid_value",
        )
    is_empty = bool(query.texts("user_ids")) or ("batch" in report.groups and query.flag("batch") is True)
    return BucketQuestion(usage, frozenset(group_by), f"page_{last}" if last < end else None, is_empty)


def _read_width(query: Query, report: Report) -> Width:
    chosen = query.text("bucket_width", tuple(report.limits))
    return next((width for width in report.limits if width == chosen), "1d")


def _read_page(query: Query, seconds: int, end: int) -> int | None:
    page = query.text("page")
    if page is None:
        return None
    start = page.removeprefix("page_")
    if not start.isdecimal() or len(start) > 10 or int(start) % seconds or int(start) >= end:
        raise InvalidRequest(
            f"Invalid 'page': '{page[:40]}' is no cursor of this list.", param="page", code="invalid_value"
        )
    return int(start)
