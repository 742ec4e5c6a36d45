"""Endpoint of how things stand: every model by its own answers, the routes, the account, the books. Our own extension.

What one worker knows is what all know, within seconds: they tell each other (fleet). It changes nothing.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.core.catalog import Model
from gateway.core.eligibility import Learned
from gateway.ledger.audit.auditor import read_standing
from gateway.organization.exchange import Question

Status = Literal["active", "deprecated", "resting", "probation", "retired"]


class ModelHealth(msgspec.Struct, kw_only=True):
    """One configured model. Times are unix seconds; speeds are moving averages of its latest answers."""

    id: str
    status: Status
    resting_until: int | None
    retired_at: int | None
    deprecated_on: int | None
    successor: str | None
    context_window: int
    context_window_source: str
    first_token_seconds: float | None
    tokens_per_second: float | None
    measured_at: int | None


class RouteHealth(msgspec.Struct, kw_only=True):
    """One route: how it chooses, and among which models."""

    name: str
    policy: str
    models: Sequence[str]
    max_attempts: int


class BooksHealth(msgspec.Struct, kw_only=True):
    """What the continuous check says. `waiting` are receipts of the worker that answers."""

    drift: int
    verified_at: int | None
    waiting: int


class Health(msgspec.Struct, kw_only=True):
    """`stopped` is why nobody asks the account now (quota, rate_limited), until when."""

    object: str = "organization.health"
    created_at: int
    models: Sequence[ModelHealth]
    routes: Sequence[RouteHealth]
    stopped: str | None
    stopped_until: int | None
    books: BooksHealth
    rollup_tags: Sequence[str]  # of the configuration: what usage can be split by
    is_demo: bool  # the simulator answers


async def retrieve_health(question: Question) -> Health:
    """GET /health"""
    question.query.done()
    service = question.service
    catalog, learned, now = service.catalog(), service.learned(), await service.registry.now()
    standing = await read_standing(service.registry.store, service.registry.layout)
    stop = learned.stop if learned.stop is not None and learned.stop.until > now else None
    return Health(
        created_at=now,
        models=[_model_health(model, learned, now) for model in catalog.models.values()],
        routes=[
            RouteHealth(name=route.name, policy=route.policy, models=route.models, max_attempts=route.max_attempts)
            for route in catalog.routes.values()
        ],
        rollup_tags=service.rollup_tags,
        is_demo=service.is_demo,
        stopped=None if stop is None else stop.kind,
        stopped_until=None if stop is None else int(stop.until),
        books=BooksHealth(drift=standing.drift, verified_at=standing.verified_at or None, waiting=service.waiting()),
    )


def _model_health(model: Model, learned: Learned, now: int) -> ModelHealth:
    speed, retired = learned.speeds.get(model.id), learned.retired.get(model.id)
    return ModelHealth(
        id=model.id,
        status=_status(model, learned, now),
        resting_until=None if model.id not in learned.resting else int(learned.resting[model.id]),
        retired_at=None if retired is None else int(retired),
        deprecated_on=model.deprecated_on,
        successor=model.successor,
        context_window=learned.windows.get(model.id, model.window_tokens),
        context_window_source="learned" if model.id in learned.windows else model.window_source,
        first_token_seconds=None if speed is None else round(speed.first_token_seconds, 3),
        tokens_per_second=None if speed is None else round(speed.tokens_per_second, 1),
        measured_at=None if speed is None else int(speed.measured_at),
    )


def _status(model: Model, learned: Learned, now: int) -> Status:
    if model.id in learned.retired:
        return "retired"
    if model.id in learned.resting:
        return "resting" if learned.resting[model.id] > now else "probation"
    return "deprecated" if model.deprecated_on is not None and model.deprecated_on <= now else "active"
