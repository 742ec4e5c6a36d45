"""What somebody is shown who may not see everything: an administrator of one project, a virtual key's browser session.

Each view narrows the question before the endpoint answers it, so that no answer is ever filtered too late. What belongs
to another project or key does not exist here. It decides nothing for administrators of the organisation.
"""

from gateway.core.errors import Forbidden
from gateway.organization import keys, ledger, projects
from gateway.organization.credentials import no_such_key
from gateway.organization.exchange import Question, Responder
from gateway.organization.listing import cut_part, object_list, read_part
from gateway.organization.objects import KeyObject, ObjectList, ProjectObject, project_object
from gateway.organization.registry import no_such_project
from gateway.organization.scope_limits import ScopeLimitObject, read_limits


def narrowed(answer: Responder) -> Responder:
    """A report or list filtered to the asker's project, and to the key where it is one."""

    async def view(question: Question) -> object:
        question.query.narrow("project_ids", _own_project(question))
        if question.viewer.api_key_id is not None:
            question.query.narrow("api_key_ids", question.viewer.api_key_id)
        return await answer(question)

    return view


def of_own_project(answer: Responder) -> Responder:
    """An endpoint below the asker's own project."""

    async def view(question: Question) -> object:
        if question.path["project_id"] != _own_project(question):
            raise no_such_project(question.path["project_id"])
        return await answer(question)

    return view


def of_own_key(answer: Responder) -> Responder:
    """An endpoint of the session's own key."""

    async def view(question: Question) -> object:
        if question.path["key_id"] != question.viewer.api_key_id:
            raise no_such_key(question.path["key_id"])
        return await answer(question)

    return view


async def rename_own_project(question: Question) -> ProjectObject:
    """POST /projects/{project_id}: its name. Its limits and rules bound it, and are not its own administrators'."""
    for name in question.body.unread:
        if name != "name":
            raise Forbidden(f"This admin key may not change '{name}' of its project.", param=name)
    return await projects.update_project(question)


async def list_own_project(question: Question) -> ObjectList[ProjectObject]:
    """GET /projects: one."""
    part = read_part(question.query)
    question.query.flag("include_archived")
    question.query.done()
    project = await question.service.registry.project(_own_project(question))
    return cut_part([project_object(project)], part)


async def list_own_key(question: Question) -> ObjectList[KeyObject]:
    """GET /projects/{project_id}/api_keys: one."""
    part = read_part(question.query)
    question.query.flag("include_revoked")
    question.query.done()
    key_id = question.viewer.api_key_id
    if key_id is None:
        raise AssertionError("this view answers sessions of virtual keys only")
    key = await question.service.credentials.key(_own_project(question), key_id)
    return cut_part([await keys.show_key(question, key)], part)


async def list_own_limits(question: Question) -> ObjectList[ScopeLimitObject]:
    """GET /spend_limits: that of the asker's project, which bounds its keys too. The organisation's is not shown."""
    read_part(question.query)
    question.query.done()
    registry = question.service.registry
    project = await registry.project(_own_project(question))
    return object_list(await read_limits(registry, [project]), has_more=False)


async def retrieve_own_row(question: Question) -> ledger.RowObject:
    """GET /ledger/{id}"""
    row = await ledger.retrieve_row(question)
    if row.project_id != _own_project(question) or question.viewer.api_key_id not in (None, row.api_key_id):
        raise ledger.no_such_row(row.id)
    return row


def _own_project(question: Question) -> str:
    if question.viewer.project_id is None:
        raise AssertionError("a view answers whoever may not see everything")
    return question.viewer.project_id
