"""Endpoints of service accounts and their API keys. A secret is in the answer that makes it, and nowhere else."""

from collections.abc import Sequence

from gateway.core.errors import Forbidden, InvalidRequest
from gateway.core.records import Key
from gateway.organization.credentials import no_such_key
from gateway.organization.exchange import Question
from gateway.organization.listing import cut_part, object_list, read_part, read_records
from gateway.organization.objects import (
    AccountObject,
    Deleted,
    IssuedKeyObject,
    KeyObject,
    NewAccountObject,
    ObjectList,
    account_object,
    issued_key_object,
    key_object,
)
from gateway.organization.parameters import missing_parameter
from gateway.organization.record_changes import KeyChange, read_key_change

DEFAULT_GRACE_SECONDS = 86_400
MAX_GRACE_SECONDS = 30 * 86_400


async def create_account(question: Question) -> NewAccountObject:
    """POST /projects/{project_id}/service_accounts"""
    credentials, project_id, body = question.service.credentials, question.path["project_id"], question.body
    without_key = body.flag("create_service_account_only") or False
    if without_key:
        _refuse_key_members(body.unread)
    given = await _read_change(question)
    if given.name is None:
        raise missing_parameter("name")
    account = await credentials.create_account(project_id, given.name, question.actor)
    issued = None
    if not without_key:
        issued = await credentials.issue_key(project_id, account, given, question.actor)
    return NewAccountObject(
        id=account.id,
        name=account.name,
        role="none" if without_key else "member",
        created_at=account.created,
        api_key=issued_key_object(issued) if issued else None,
    )


async def list_accounts(question: Question) -> ObjectList[AccountObject]:
    """GET /projects/{project_id}/service_accounts"""
    part = read_part(question.query)
    question.query.done()
    project = await question.service.registry.project(question.path["project_id"])
    accounts = await question.service.credentials.accounts(project.id)
    return cut_part([account_object(account) for account in accounts if account.deleted_at is None], part)


async def retrieve_account(question: Question) -> AccountObject:
    """GET /projects/{project_id}/service_accounts/{account_id}"""
    question.query.done()
    return account_object(
        await question.service.credentials.account(question.path["project_id"], question.path["account_id"])
    )


async def update_account(question: Question) -> AccountObject:
    """POST /projects/{project_id}/service_accounts/{account_id}"""
    name = question.body.required_text("name")
    question.body.done()
    path = question.path
    return account_object(
        await question.service.credentials.rename_account(path["project_id"], path["account_id"], name, question.actor)
    )


async def delete_account(question: Question) -> Deleted:
    """DELETE /projects/{project_id}/service_accounts/{account_id}"""
    account_id = question.path["account_id"]
    await question.service.credentials.delete_account(question.path["project_id"], account_id, question.actor)
    return Deleted(id=account_id, object="organization.project.service_account.deleted")


async def create_account_key(question: Question) -> IssuedKeyObject:
    """POST /projects/{project_id}/service_accounts/{account_id}/api_keys"""
    credentials, path = question.service.credentials, question.path
    given = await _read_change(question)
    account = await credentials.account(path["project_id"], path["account_id"])
    return issued_key_object(await credentials.issue_key(path["project_id"], account, given, question.actor))


async def list_keys(question: Question) -> ObjectList[KeyObject]:
    """GET /projects/{project_id}/api_keys; `include_revoked` and `order` are ours."""
    registry, credentials, query = question.service.registry, question.service.credentials, question.query
    part = read_part(query)
    access = query.text("owner_project_access", ("active", "inactive", "any"))
    with_revoked = query.flag("include_revoked") or False
    query.done()
    project = await registry.project(question.path["project_id"])
    project_access = "active" if project.archived_at is None else "inactive"

    def keep(key: Key) -> bool:
        return (with_revoked or key.revoked_at is None) and access in (None, "any", project_access)

    index = registry.layout.shared("project_keys", project.id)
    keys, has_more = await read_records(registry.store, index, part, credentials.keys_of, keep)
    last_used = await credentials.last_used([key.id for key in keys])
    accounts = {account.id: account for account in await credentials.accounts(project.id)}
    objects = [key_object(key, project, accounts.get(key.service_account_id), last_used.get(key.id)) for key in keys]
    return object_list(objects, has_more=has_more)


async def retrieve_key(question: Question) -> KeyObject:
    """GET /projects/{project_id}/api_keys/{key_id}; a revoked key only with `include_revoked`, which is ours."""
    with_revoked = question.query.flag("include_revoked") or False
    question.query.done()
    key_id = question.path["key_id"]
    key = await question.service.credentials.key(question.path["project_id"], key_id)
    if key.revoked_at is not None and not with_revoked:
        raise no_such_key(key_id)
    return await show_key(question, key)


async def update_key(question: Question) -> KeyObject:
    """POST /projects/{project_id}/api_keys/{key_id}; everything but `expires_in_seconds` is ours."""
    credentials, path = question.service.credentials, question.path
    change = await _read_change(question, with_owner=True)
    return await show_key(
        question, await credentials.change_key(path["project_id"], path["key_id"], change, question.actor)
    )


async def rotate_key(question: Question) -> IssuedKeyObject:
    """POST /projects/{project_id}/api_keys/{key_id}/rotate: a new secret; the old one is good for `grace_seconds`."""
    grace = question.body.integer("grace_seconds", 0, MAX_GRACE_SECONDS)
    question.body.done()
    credentials, path = question.service.credentials, question.path
    seconds = DEFAULT_GRACE_SECONDS if grace is None else grace
    return issued_key_object(await credentials.rotate_key(path["project_id"], path["key_id"], seconds, question.actor))


async def delete_key(question: Question) -> Deleted:
    """DELETE /projects/{project_id}/api_keys/{key_id}: revoke it."""
    key_id = question.path["key_id"]
    await question.service.credentials.revoke_key(question.path["project_id"], key_id, question.actor)
    return Deleted(id=key_id, object="organization.project.api_key.deleted")


async def show_key(question: Question, key: Key) -> KeyObject:
    """A key with its owner and its last use."""
    credentials = question.service.credentials
    project = await question.service.registry.project(key.project_id)
    accounts = {account.id: account for account in await credentials.accounts(project.id)}
    last_used = await credentials.last_used([key.id])
    return key_object(key, project, accounts.get(key.service_account_id), last_used.get(key.id))


async def _read_change(question: Question, *, with_owner: bool = False) -> KeyChange:
    """What a key is to be, or become. A new one's owner is the account in the path."""
    if not with_owner and question.body.has("owner"):
        raise InvalidRequest("A new key's owner is its service account.", param="owner", code="unknown_parameter")
    change = read_key_change(question.body, question.service.catalog(), await question.service.registry.now())
    question.body.done()
    if question.viewer.project_id is not None and change.rules.on_store_down == "allow":
        raise Forbidden(
            "A project's administrator may not let a key go on without the budgets' store.", param="on_store_down"
        )
    return change


def _refuse_key_members(names: Sequence[str]) -> None:
    """An account without a key cannot have what belongs to a key."""
    for name in names:
        if name != "name":
            raise InvalidRequest(
                f"'{name}' cannot be used when 'create_service_account_only' is true.", param=name, code="invalid_value"
            )
