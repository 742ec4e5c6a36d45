"""Admin API keys in the store: made, read, revoked. A secret passes through once, only its SHA-256 is written.

A revoked key keeps its record, so that the audit still resolves to a name. It speaks no HTTP.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.core.errors import NotFound
from gateway.core.records import AdminKey, AdminRole
from gateway.keys import ADMIN_PREFIX, hash_secret, new_secret, redact
from gateway.organization.change import Actor, Change
from gateway.organization.registry import Registry, new_id, text
from gateway.store.stored import stored

_decode = stored(AdminKey, "admin key")

_ORGANIZATION: Final = "organization"
_PROJECT: Final = "project:"


class Reach(msgspec.Struct, frozen=True):
    """What an admin key may do, and in how much of the organisation."""

    role: AdminRole = "admin"
    project_id: str | None = None


class IssuedAdminKey(msgspec.Struct, frozen=True):
    """A fresh admin key with its secret, which is never shown again."""

    key: AdminKey
    secret: str


class AdminCredentials:
    """The admin keys of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._layout = registry.layout
        self.index = self._layout.shared("admin_keys")

    async def issue(self, name: str, reach: Reach, expires_in_seconds: int | None, actor: Actor) -> IssuedAdminKey:
        """A new admin key. Raises NotFound and Conflict for a project that is not there or archived."""
        if reach.project_id is not None:
            await self._registry.active_project(reach.project_id)
        secret = new_secret(ADMIN_PREFIX)
        created = await self._registry.now()
        key = AdminKey(
            id=new_id("key_"),
            version=1,
            name=name,
            created=created,
            redacted=redact(secret, ADMIN_PREFIX),
            created_by=actor.name,
            role=reach.role,
            project_id=reach.project_id,
            expires_at=None if expires_in_seconds is None else created + expires_in_seconds,
        )

        async def build() -> tuple[Change, IssuedAdminKey]:
            change = Change()
            key_hash = hash_secret(secret)
            change.record(self._layout.admin_key(key_hash), 1, text(key))
            change.write("HSET", self._layout.shared("admin_key_hashes"), key.id, key_hash)
            change.write("ZADD", self.index, created, key.id)
            details = {"name": name, "role": reach.role, "scope": scope_text(reach.project_id)}
            change.audit(self._registry.audit_stream, actor, "admin_api_key.created", key.id, details)
            return change, IssuedAdminKey(key, secret)

        return await self._registry.perform(build)

    async def key(self, key_id: str) -> AdminKey:
        """An admin key that was not revoked. Raises NotFound."""
        return (await self._living(key_id))[1]

    async def keys_of(self, key_ids: Sequence[str]) -> list[AdminKey]:
        """The keys with these ids, in their order, without those that do not exist."""
        return [key for _, key in await self._hashed(key_ids)]

    async def last_used(self, key_ids: Sequence[str]) -> dict[str, int]:
        """When each key was last used, unix seconds; those never used are absent."""
        if not key_ids:
            return {}
        found = await self._store.command("HMGET", self._layout.shared("admin_keys_used"), *key_ids)
        return {key_id: int(moment) for key_id, moment in zip(key_ids, found, strict=True) if moment}

    async def revoke(self, key_id: str, actor: Actor) -> AdminKey:
        """The key opens nothing any more, from now on. Raises NotFound, also for one revoked before."""
        moment = await self._registry.now()

        async def build() -> tuple[Change, AdminKey]:
            key_hash, before = await self._living(key_id)
            after = msgspec.structs.replace(before, version=before.version + 1, revoked_at=moment)
            change = Change()
            change.record(self._layout.admin_key(key_hash), after.version, text(after))
            change.audit(self._registry.audit_stream, actor, "admin_api_key.deleted", key_id, {"name": before.name})
            return change, after

        return await self._registry.perform(build)

    async def _living(self, key_id: str) -> tuple[str, AdminKey]:
        for key_hash, key in await self._hashed([key_id]):
            if key.revoked_at is None:
                return key_hash, key
        raise NotFound(f"No such admin API key: '{key_id}'.", code="not_found")

    async def _hashed(self, key_ids: Sequence[str]) -> list[tuple[str, AdminKey]]:
        if not key_ids:
            return []
        hashes = await self._store.command("HMGET", self._layout.shared("admin_key_hashes"), *key_ids)
        known = [key_hash.decode() for key_hash in hashes if key_hash]
        found = await self._store.pipeline([("HGET", self._layout.admin_key(each), "data") for each in known])
        return [(key_hash, _decode(data)) for key_hash, data in zip(known, found, strict=True) if data]


def scope_text(project_id: str | None) -> str:
    """`organization` or `project:<id>`."""
    return _ORGANIZATION if project_id is None else f"{_PROJECT}{project_id}"


def read_scope(scope: str) -> str | None:
    """The project of a scope, None for the organisation. Raises ValueError for what is no scope."""
    if scope == _ORGANIZATION:
        return None
    if not scope.startswith(_PROJECT):
        raise ValueError(scope)
    return scope.removeprefix(_PROJECT)
