"""Endpoints of projects and of the hard budgets of projects and organisation."""

from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.limits import LARGEST_LIMIT
from gateway.core.records import Project, SpendLimit
from gateway.organization.exchange import Question
from gateway.organization.listing import object_list, read_part, read_records
from gateway.organization.money import NANO_PER_CENT, cents_to_nano
from gateway.organization.objects import (
    LimitDeleted,
    ObjectList,
    ProjectObject,
    SpendLimitObject,
    project_object,
    spend_limit_object,
)
from gateway.organization.parameters import Body, missing_parameter
from gateway.organization.record_changes import read_project_change


async def create_project(question: Question) -> ProjectObject:
    """POST /projects; everything but `name` is ours."""
    body, service = question.body, question.service
    given = read_project_change(body, service.catalog())
    body.done()
    if given.name is None:
        raise missing_parameter("name")
    return project_object(await service.registry.create_project(given.name, given, question.actor))


async def list_projects(question: Question) -> ObjectList[ProjectObject]:
    """GET /projects"""
    registry = question.service.registry
    part = read_part(question.query)
    with_archived = question.query.flag("include_archived") or False
    question.query.done()

    def keep(project: Project) -> bool:
        return with_archived or project.archived_at is None

    index = registry.layout.shared("projects")
    found, has_more = await read_records(registry.store, index, part, registry.projects_of, keep)
    return object_list([project_object(project) for project in found], has_more=has_more)


async def retrieve_project(question: Question) -> ProjectObject:
    """GET /projects/{project_id}"""
    question.query.done()
    return project_object(await question.service.registry.project(question.path["project_id"]))


async def update_project(question: Question) -> ProjectObject:
    """POST /projects/{project_id}; everything but `name` is ours."""
    registry = question.service.registry
    asked = read_project_change(question.body, question.service.catalog())
    question.body.done()
    project_id = question.path["project_id"]
    if asked.is_empty:
        return project_object(await registry.active_project(project_id))
    return project_object(await registry.alter_project(project_id, asked, question.actor))


async def archive_project(question: Question) -> ProjectObject:
    """POST /projects/{project_id}/archive"""
    question.body.done()
    registry = question.service.registry
    return project_object(await registry.archive_project(question.path["project_id"], question.actor))


async def retrieve_project_limit(question: Question) -> SpendLimitObject:
    """GET /projects/{project_id}/spend_limit"""
    question.query.done()
    project = await question.service.registry.project(question.path["project_id"])
    if project.spend_limit is None:
        raise NotFound(f"Project '{project.id}' has no spend limit.", code="not_found")
    used = await question.service.registry.used_this_month(f"p:{project.id}")
    return spend_limit_object("project.spend_limit", project.spend_limit, used)


async def update_project_limit(question: Question) -> SpendLimitObject:
    """POST /projects/{project_id}/spend_limit"""
    limit = _read_limit(question.body)
    project_id = question.path["project_id"]
    await question.service.registry.limit_project(project_id, limit, question.actor)
    used = await question.service.registry.used_this_month(f"p:{project_id}")
    return spend_limit_object("project.spend_limit", limit, used)


async def delete_project_limit(question: Question) -> LimitDeleted:
    """DELETE /projects/{project_id}/spend_limit"""
    await retrieve_project_limit(question)
    await question.service.registry.limit_project(question.path["project_id"], None, question.actor)
    return LimitDeleted(object="project.spend_limit.deleted")


async def retrieve_organization_limit(question: Question) -> SpendLimitObject:
    """GET /spend_limit"""
    question.query.done()
    organization = await question.service.registry.organization()
    if organization.spend_limit is None:
        raise NotFound("The organization has no spend limit.", code="not_found")
    used = await question.service.registry.used_this_month("o")
    return spend_limit_object("organization.spend_limit", organization.spend_limit, used)


async def update_organization_limit(question: Question) -> SpendLimitObject:
    """POST /spend_limit"""
    limit = _read_limit(question.body)
    await question.service.registry.limit_organization(limit, question.actor)
    return spend_limit_object("organization.spend_limit", limit, await question.service.registry.used_this_month("o"))


async def delete_organization_limit(question: Question) -> LimitDeleted:
    """DELETE /spend_limit"""
    await retrieve_organization_limit(question)
    await question.service.registry.limit_organization(None, question.actor)
    return LimitDeleted(object="organization.spend_limit.deleted")


def _read_limit(body: Body) -> SpendLimit:
    amount = body.required_number("threshold_amount", 0, LARGEST_LIMIT // NANO_PER_CENT)
    body.required_choice("currency", ("USD",))
    interval = body.required_choice("interval", ("month",))
    body.done()
    limit_nano = cents_to_nano(amount)
    if limit_nano is None:
        raise InvalidRequest(
            "Invalid 'threshold_amount': a spend limit cannot be finer than 0.0000001 cents.",
            param="threshold_amount",
            code="invalid_value",
        )
    return SpendLimit(limit_nano, interval)
