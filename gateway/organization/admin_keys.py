"""Endpoints of admin API keys: OpenAI's, with `scope` and `role` of ours. A secret is in the answer that makes it."""

from typing import get_args

import msgspec

from gateway.core.errors import InvalidRequest
from gateway.core.records import AdminKey, AdminRole
from gateway.organization.admin_credentials import Reach, read_scope, scope_text
from gateway.organization.exchange import Question
from gateway.organization.listing import object_list, read_part, read_records
from gateway.organization.objects import Deleted, ObjectList
from gateway.organization.parameters import Body
from gateway.organization.record_changes import MAX_EXPIRY_SECONDS


class AdminKeyOwner(msgspec.Struct, kw_only=True):
    """Whoever made it: there are no users here, so it is the admin key with which it was made."""

    type: str = "user"
    object: str = "organization.user"
    id: str
    name: str
    created_at: int
    role: str = "owner"


class AdminKeyObject(msgspec.Struct, kw_only=True):
    """An admin API key. `scope` (`organization`, `project:<id>`) and `role` (`admin`, `viewer`) are ours."""

    id: str
    object: str = "organization.admin_api_key"
    name: str
    redacted_value: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    owner: AdminKeyOwner
    scope: str
    role: str


class IssuedAdminKeyObject(AdminKeyObject, kw_only=True):
    """A fresh one: the only object that carries `value`, the secret."""

    value: str


async def create_admin_key(question: Question) -> IssuedAdminKeyObject:
    """POST /admin_api_keys; `scope` and `role` are ours."""
    body = question.body
    name = body.required_text("name")
    seconds = body.integer("expires_in_seconds", 1, MAX_EXPIRY_SECONDS)
    reach = Reach(_ROLES[body.choice("role", tuple(_ROLES)) or "admin"], _read_scope(body))
    body.done()
    issued = await question.service.admins.issue(name, reach, seconds, question.actor)
    shown = _admin_key_object(issued.key, None)
    return IssuedAdminKeyObject(**msgspec.structs.asdict(shown), value=issued.secret)


async def list_admin_keys(question: Question) -> ObjectList[AdminKeyObject]:
    """GET /admin_api_keys"""
    admins, part = question.service.admins, read_part(question.query)
    question.query.done()
    store = question.service.registry.store
    found, has_more = await read_records(store, admins.index, part, admins.keys_of, lambda key: key.revoked_at is None)
    used = await admins.last_used([key.id for key in found])
    return object_list([_admin_key_object(key, used.get(key.id)) for key in found], has_more=has_more)


async def retrieve_admin_key(question: Question) -> AdminKeyObject:
    """GET /admin_api_keys/{key_id}"""
    question.query.done()
    key = await question.service.admins.key(question.path["key_id"])
    return _admin_key_object(key, (await question.service.admins.last_used([key.id])).get(key.id))


async def delete_admin_key(question: Question) -> Deleted:
    """DELETE /admin_api_keys/{key_id}: revoke it."""
    key = await question.service.admins.revoke(question.path["key_id"], question.actor)
    return Deleted(id=key.id, object="organization.admin_api_key.deleted")


_ROLES: dict[str, AdminRole] = {role: role for role in get_args(AdminRole)}


def _read_scope(body: Body) -> str | None:
    scope = body.text("scope") or "organization"
    try:
        return read_scope(scope)
    except ValueError as error:
        raise InvalidRequest(
            f"Invalid value: '{scope}'. A scope is 'organization' or 'project:' with the project's id.",
            param="scope",
            code="invalid_value",
        ) from error


def _admin_key_object(key: AdminKey, last_used: int | None) -> AdminKeyObject:
    return AdminKeyObject(
        id=key.id,
        name=key.name,
        redacted_value=key.redacted,
        created_at=key.created,
        expires_at=key.expires_at,
        last_used_at=last_used,
        owner=AdminKeyOwner(id=key.created_by, name=key.created_by, created_at=key.created),
        scope=scope_text(key.project_id),
        role=key.role,
    )
