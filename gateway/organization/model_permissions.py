"""Endpoints of a project's model permissions: OpenAI's object over the rule `allowed_models`.

Only lists of what is allowed are kept: a list of what is not would admit every model that comes later. A project
without the rule has an empty list of what is denied.
"""

import msgspec

from gateway.core.errors import InvalidRequest
from gateway.core.records import Project
from gateway.organization.exchange import Question
from gateway.organization.model_names import model_ids
from gateway.organization.objects import LimitDeleted
from gateway.organization.parameters import missing_parameter
from gateway.organization.record_changes import ProjectChange
from gateway.organization.rules import LONGEST_LIST, RulesChange


class ModelPermissions(msgspec.Struct, kw_only=True):
    """Which models may serve a project."""

    object: str = "project.model_permissions"
    mode: str
    model_ids: tuple[str, ...]


async def retrieve_permissions(question: Question) -> ModelPermissions:
    """GET /projects/{project_id}/model_permissions"""
    question.query.done()
    return _permissions(await question.service.registry.project(question.path["project_id"]))


async def update_permissions(question: Question) -> ModelPermissions:
    """POST /projects/{project_id}/model_permissions"""
    body = question.body
    is_denying = body.required_choice("mode", ("allow_list", "deny_list")) == "deny_list"
    names = body.texts("model_ids", LONGEST_LIST, least=0 if is_denying else 1)
    body.done()
    if names is None:
        raise missing_parameter("model_ids")
    if is_denying and names:
        raise InvalidRequest(
            "Invalid 'model_ids': list the models that are allowed instead; all others are denied, also those to come.",
            param="model_ids",
            code="invalid_value",
        )
    return await _change(question, None if is_denying else model_ids(names, question.service.catalog(), "model_ids"))


async def delete_permissions(question: Question) -> LimitDeleted:
    """DELETE /projects/{project_id}/model_permissions: all models may serve it."""
    await _change(question, None)
    return LimitDeleted(object="project.model_permissions.deleted")


async def _change(question: Question, models: tuple[str, ...] | None) -> ModelPermissions:
    registry, project_id = question.service.registry, question.path["project_id"]
    change = ProjectChange(rules=RulesChange(allowed_models=models))
    return _permissions(await registry.alter_project(project_id, change, question.actor))


def _permissions(project: Project) -> ModelPermissions:
    models = project.rules.allowed_models
    return ModelPermissions(mode="deny_list" if models is None else "allow_list", model_ids=models or ())
