"""Endpoints of rate limits per project and model: OpenAI's objects over the project's limits of single models.

Every model of the catalogue has an object, also where nothing limits it: its figures are null then.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.limits import LARGEST_LIMIT
from gateway.core.records import Project
from gateway.organization.exchange import Question
from gateway.organization.limit_changes import LimitChange
from gateway.organization.listing import object_list
from gateway.organization.objects import ObjectList
from gateway.organization.parameters import Query
from gateway.organization.record_changes import ProjectChange

_MAX_LIMIT: Final = 100

# What OpenAI calls a limit, and which it is here. What it has besides is of images, audio and batches.
_MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "max_requests_per_1_minute": ("requests", "minute"),
    "max_tokens_per_1_minute": ("tokens", "minute"),
    "max_requests_per_1_day": ("requests", "day"),
}
_NOT_HERE: Final = ("max_images_per_1_minute", "max_audio_megabytes_per_1_minute", "batch_1_day_max_input_tokens")


class RateLimitObject(msgspec.Struct, kw_only=True):
    """What one model may serve for a project, null for no limit. The day rolls."""

    id: str
    object: str = "project.rate_limit"
    model: str
    max_requests_per_1_minute: int | None = None
    max_tokens_per_1_minute: int | None = None
    max_requests_per_1_day: int | None = None


async def list_rate_limits(question: Question) -> ObjectList[RateLimitObject]:
    """GET /projects/{project_id}/rate_limits"""
    query = question.query
    limit = query.integer("limit", 1, _MAX_LIMIT) or _MAX_LIMIT
    models = _models(question)
    start, end = _part(query, list(models), limit)
    query.done()
    project = await question.service.registry.project(question.path["project_id"])
    found = [_rate_limit(limit_id, models[limit_id], project) for limit_id in list(models)[start:end]]
    return object_list(found, has_more=end < len(models))


async def update_rate_limit(question: Question) -> RateLimitObject:
    """POST /projects/{project_id}/rate_limits/{rate_limit_id}; null, for no limit any more, is ours."""
    body, models, limit_id = question.body, _models(question), question.path["rate_limit_id"]
    if limit_id not in models:
        raise NotFound(f"No such rate limit: '{limit_id}'.", code="not_found")
    model = models[limit_id]
    changes = []
    for name, (kind, window) in _MEMBERS.items():
        is_null, amount = body.is_null(name), body.integer(name, 0, LARGEST_LIMIT)
        if is_null or amount is not None:
            changes.append(LimitChange(kind, window, amount, model))
    for name in _NOT_HERE:
        if body.has(name):
            raise InvalidRequest(f"'{name}' limits what no model here does.", param=name, code="invalid_value")
    body.done()
    registry, project_id = question.service.registry, question.path["project_id"]
    if not changes:
        return _rate_limit(limit_id, model, await registry.active_project(project_id))
    change = ProjectChange(limits=tuple(changes))
    return _rate_limit(limit_id, model, await registry.alter_project(project_id, change, question.actor))


def _models(question: Question) -> dict[str, str]:
    """Ids of rate limits and the models they are of, in the catalogue's order."""
    return {f"rl-{model.removeprefix('@').replace('/', '-')}": model for model in question.service.catalog().models}


def _part(query: Query, ids: list[str], limit: int) -> tuple[int, int]:
    """Where the asked part of the list begins and ends."""
    places = {}
    for name in ("after", "before"):
        cursor = query.text(name)
        if cursor is not None and cursor not in ids:
            raise InvalidRequest(
                f"Invalid '{name}': there is no '{cursor}' in this list.", param=name, code="invalid_value"
            )
        if cursor is not None:
            places[name] = ids.index(cursor)
    if "before" in places and "after" not in places:
        return max(0, places["before"] - limit), places["before"]
    start = places.get("after", -1) + 1
    return start, min(start + limit, places.get("before", len(ids)))


def _rate_limit(limit_id: str, model: str, project: Project) -> RateLimitObject:
    figures = {(limit.kind, limit.window): limit.limit for limit in project.limits if limit.model == model}
    shown = RateLimitObject(id=limit_id, model=model)
    for name, place in _MEMBERS.items():
        setattr(shown, name, figures.get(place))
    return shown
