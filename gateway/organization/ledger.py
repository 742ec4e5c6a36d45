"""Endpoints of the ledger: the gateway's own extension of OpenAI's admin API. One request is one row, newest first."""

import msgspec

from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.receipt import Attempt, Receipt
from gateway.ledger.rows import RowFilter, get_row, list_rows
from gateway.organization.exchange import Question
from gateway.organization.money import decimal_text
from gateway.organization.objects import Page

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 1000
_LATEST_SECOND = 4_102_444_800  # 2100-01-01


class AttemptObject(msgspec.Struct, kw_only=True):
    """One upstream call. Times are milliseconds, `started_ms` since the request arrived."""

    model: str
    end: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_nano: int
    neurons: msgspec.Raw | None
    neurons_source: str | None
    usage_source: str
    price_id: str
    upstream_code: int | None
    upstream_request_id: str | None
    started_ms: int
    latency_ms: int
    traceparent: str | None  # W3C, where the request was traced


class RowObject(msgspec.Struct, kw_only=True):
    """One request. `id` is its x-request-id, `created` unix seconds, `created_ms` the same instant more finely."""

    id: str
    object: str = "organization.ledger.row"
    created: int
    created_ms: int
    project_id: str
    api_key_id: str
    surface: str
    requested_model: str
    route: str
    reason: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_nano: int
    neurons: msgspec.Raw | None
    neurons_source: str | None
    usage_source: str
    price_source: str
    end_reason: str
    status: int
    stream: bool
    latency_ms: int
    ttft_ms: int | None
    queued_ms: int
    upstream: str
    tags: dict[str, str]
    attempts: list[AttemptObject]


async def list_ledger(question: Question) -> Page[RowObject]:
    """GET /ledger"""
    query, registry = question.query, question.service.registry
    start = query.integer("start_time", 0, _LATEST_SECOND)
    end = query.integer("end_time", 0, _LATEST_SECOND)
    filters = RowFilter(
        project_ids=query.texts("project_ids"),
        api_key_ids=query.texts("api_key_ids"),
        models=query.texts("models"),
        start_ms=None if start is None else start * 1000,
        end_ms=None if end is None else end * 1000,
    )
    limit = query.integer("limit", 1, _MAX_LIMIT) or _DEFAULT_LIMIT
    page = query.text("page")
    query.done()
    try:
        rows, following = await list_rows(registry.store, registry.layout, filters, limit, page)
    except ValueError as error:
        raise InvalidRequest(
            "Invalid 'page': it is no cursor of this list.", param="page", code="invalid_value"
        ) from error
    return Page(data=[_row_object(row) for row in rows], has_more=following is not None, next_page=following)


async def retrieve_row(question: Question) -> RowObject:
    """GET /ledger/{id}"""
    question.query.done()
    registry = question.service.registry
    row = await get_row(registry.store, registry.layout, question.path["row_id"])
    if row is None:
        raise no_such_row(question.path["row_id"])
    return _row_object(row)


def no_such_row(row_id: str) -> NotFound:
    """The error for a row that is not there, or not the asker's."""
    return NotFound(f"No such row: '{row_id}'.", code="not_found")


def _row_object(row: Receipt) -> RowObject:
    return RowObject(
        id=row.id,
        created=row.created_ms // 1000,
        created_ms=row.created_ms,
        project_id=row.project_id,
        api_key_id=row.api_key_id,
        surface=row.surface,
        requested_model=row.requested_model,
        route=row.route,
        reason=row.reason,
        model=row.model,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cached_tokens=row.cached_tokens,
        cost_nano=row.cost_nano,
        neurons=_neurons(row.neurons_nano),
        neurons_source=None if row.neurons_nano is None else row.neurons_source,
        usage_source=row.usage_source,
        price_source=row.price_source,
        end_reason=row.end_reason,
        status=row.status,
        stream=row.stream,
        latency_ms=row.latency_ms,
        ttft_ms=row.ttft_ms,
        queued_ms=row.queued_ms,
        upstream=row.upstream,
        tags=row.tags,
        attempts=[_attempt_object(attempt) for attempt in row.attempts],
    )


def _attempt_object(attempt: Attempt) -> AttemptObject:
    return AttemptObject(
        model=attempt.model,
        end=attempt.end,
        prompt_tokens=attempt.prompt_tokens,
        completion_tokens=attempt.completion_tokens,
        cached_tokens=attempt.cached_tokens,
        cost_nano=attempt.cost_nano,
        neurons=_neurons(attempt.neurons_nano),
        neurons_source=None if attempt.neurons_nano is None else attempt.neurons_source,
        usage_source=attempt.usage_source,
        price_id=attempt.price_id,
        upstream_code=attempt.upstream_code,
        upstream_request_id=attempt.upstream_request_id,
        started_ms=attempt.started_ms,
        latency_ms=attempt.latency_ms,
        traceparent=attempt.traceparent or None,
    )


def _neurons(nano: int | None) -> msgspec.Raw | None:
    """Neurons as a JSON decimal, or null where nothing is known of them."""
    return None if nano is None else msgspec.Raw(decimal_text(nano, 9).encode())
