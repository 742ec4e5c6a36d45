"""Endpoint of how fast answers came: percentiles of first tokens and tokens a second, by model. Our own extension."""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.core.errors import InvalidRequest
from gateway.core.pace import Pace, percentile
from gateway.ledger.pace import DAY_SECONDS, read_pace
from gateway.organization.exchange import Question
from gateway.organization.parameters import missing_parameter

_FAR_FUTURE: Final = 4_102_444_800
_MOST_DAYS: Final = 366


class ModelPace(msgspec.Struct, kw_only=True):
    """Streams of one model, or of all (`model` null). The 95th percentile is of the slowest side, of both."""

    object: str = "organization.pace"
    model: str | None
    requests: int
    first_token_ms_p50: float | None
    first_token_ms_p95: float | None
    tokens_per_second_p50: float | None
    tokens_per_second_p95: float | None


class PaceReport(msgspec.Struct, kw_only=True):
    """All models together first, then each, the most used first."""

    object: str = "list"
    data: Sequence[ModelPace]


async def list_pace(question: Question) -> PaceReport:
    """GET /pace"""
    query = question.query
    start = query.integer("start_time", 0, _FAR_FUTURE)
    if start is None:
        raise missing_parameter("start_time")
    registry = question.service.registry
    end = query.integer("end_time", 0, _FAR_FUTURE) or await registry.now() + 1
    projects, models = query.texts("project_ids"), query.texts("models")
    query.done()
    if len(projects) > 1:
        raise InvalidRequest("Invalid 'project_ids': one at most.", param="project_ids", code="invalid_value")
    first = start - start % DAY_SECONDS
    if not first < end <= first + _MOST_DAYS * DAY_SECONDS:
        raise InvalidRequest(
            f"Invalid 'end_time': between 'start_time' and {_MOST_DAYS} days later.",
            param="end_time",
            code="invalid_value",
        )
    days = range(first, end, DAY_SECONDS)
    found = await read_pace(registry.store, registry.layout, days, projects[0] if projects else "")
    chosen = {model: pace for model, pace in found.items() if not models or model in models}
    together = Pace()
    for pace in chosen.values():
        together.add(pace)
    ordered = sorted(chosen.items(), key=lambda pair: -pair[1].requests)
    return PaceReport(data=[_told(None, together), *(_told(model, pace) for model, pace in ordered)])


def _told(model: str | None, pace: Pace) -> ModelPace:
    return ModelPace(
        model=model,
        requests=pace.requests,
        first_token_ms_p50=_rounded(percentile(pace.first_ms, 0.5)),
        first_token_ms_p95=_rounded(percentile(pace.first_ms, 0.95)),
        tokens_per_second_p50=_rounded(percentile(pace.rate, 0.5)),
        tokens_per_second_p95=_rounded(percentile(pace.rate, 0.05)),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
