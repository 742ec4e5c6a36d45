"""What a browser session of a virtual key is shown: its own key's part of each answer, and nothing of anybody else.

Each view narrows the question before the endpoint answers it, so that no answer is ever filtered too late. What another
key owns does not exist here. It decides nothing for administrators.
"""

from gateway.organization import keys, ledger
from gateway.organization.credentials import no_such_key
from gateway.organization.exchange import Question, Responder
from gateway.organization.listing import cut_part, object_list, read_part
from gateway.organization.objects import KeyObject, ObjectList, ProjectObject, project_object
from gateway.organization.registry import no_such_project
from gateway.organization.scope_limits import ScopeLimitObject, read_limits


def narrowed(answer: Responder) -> Responder:
    """A report or list filtered to the session's key."""

    async def view(question: Question) -> object:
        project_id, key_id = _own(question)
        question.query.narrow("project_ids", project_id)
        question.query.narrow("api_key_ids", key_id)
        return await answer(question)

    return view


def of_own_project(answer: Responder) -> Responder:
    """An endpoint below the session's own project."""

    async def view(question: Question) -> object:
        if question.path["project_id"] != _own(question)[0]:
            raise no_such_project(question.path["project_id"])
        return await answer(question)

    return view


def of_own_key(answer: Responder) -> Responder:
    """An endpoint of the session's own key."""

    async def view(question: Question) -> object:
        if question.path["key_id"] != _own(question)[1]:
            raise no_such_key(question.path["key_id"])
        return await answer(question)

    return view


async def list_own_project(question: Question) -> ObjectList[ProjectObject]:
    """GET /projects: one."""
    part = read_part(question.query)
    question.query.flag("include_archived")
    question.query.done()
    project = await question.service.registry.project(_own(question)[0])
    return cut_part([project_object(project)], part)


async def list_own_key(question: Question) -> ObjectList[KeyObject]:
    """GET /projects/{project_id}/api_keys: one."""
    part = read_part(question.query)
    question.query.flag("include_revoked")
    question.query.done()
    project_id, key_id = _own(question)
    key = await question.service.credentials.key(project_id, key_id)
    return cut_part([await keys.show_key(question, key)], part)


async def list_own_limits(question: Question) -> ObjectList[ScopeLimitObject]:
    """GET /spend_limits: that of the key's project, which bounds the key as well. The organisation's is not shown."""
    read_part(question.query)
    question.query.done()
    registry = question.service.registry
    project = await registry.project(_own(question)[0])
    return object_list(await read_limits(registry, [project]), has_more=False)


async def retrieve_own_row(question: Question) -> ledger.RowObject:
    """GET /ledger/{id}"""
    row = await ledger.retrieve_row(question)
    if (row.project_id, row.api_key_id) != _own(question):
        raise ledger.no_such_row(row.id)
    return row


def _own(question: Question) -> tuple[str, str]:
    viewer = question.viewer
    if viewer.project_id is None or viewer.api_key_id is None:
        raise AssertionError("a view answers sessions of virtual keys only")
    return viewer.project_id, viewer.api_key_id
