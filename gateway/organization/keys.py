"""Endpoints of service accounts and their API keys. A secret is in the answer that makes it, and nowhere else."""

from gateway.core.errors import InvalidRequest
from gateway.core.records import Key
from gateway.organization.credentials import KeyChange, no_such_key
from gateway.organization.exchange import Question
from gateway.organization.limit_changes import read_limit_changes
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

_MAX_EXPIRY_SECONDS = 31_536_000  # OpenAI's bound: a year


async def create_account(question: Question) -> NewAccountObject:
    """POST /projects/{project_id}/service_accounts"""
    credentials, project_id, body = question.service.credentials, question.path["project_id"], question.body
    name = body.required_text("name")
    without_key = body.flag("create_service_account_only") or False
    expires = body.integer("expires_in_seconds", 1, _MAX_EXPIRY_SECONDS)
    body.done()
    if without_key and expires is not None:
        raise InvalidRequest(
            "'expires_in_seconds' cannot be used when 'create_service_account_only' is true.",
            param="expires_in_seconds",
            code="invalid_value",
        )
    account = await credentials.create_account(project_id, name, question.actor)
    issued = None
    if not without_key:
        issued = await credentials.issue_key(project_id, account.id, name, expires, question.actor)
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
    credentials, path, body = question.service.credentials, question.path, question.body
    name = body.text("name")
    expires = body.integer("expires_in_seconds", 1, _MAX_EXPIRY_SECONDS)
    body.done()
    account = await credentials.account(path["project_id"], path["account_id"])
    issued = await credentials.issue_key(path["project_id"], account.id, name or account.name, expires, question.actor)
    return issued_key_object(issued)


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
    body, path = question.body, question.path
    change = KeyChange(
        name=body.text("name"),
        expires_in_seconds=body.integer("expires_in_seconds", 1, _MAX_EXPIRY_SECONDS),
        disabled=body.flag("disabled"),
        limits=read_limit_changes(body),
    )
    body.done()
    credentials = question.service.credentials
    return await show_key(
        question, await credentials.change_key(path["project_id"], path["key_id"], change, question.actor)
    )


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
