"""Service accounts and their virtual keys in the store: made, read, altered, revoked.

A key's secret passes through once, when it is made, and only its SHA-256 is written. A revoked key keeps its record, so
that old rows still resolve to a name. An account names its keys, therefore deleting it and adding a key to it at the
same moment cannot both succeed unseen. It speaks no HTTP.
"""

from collections.abc import Callable, Sequence

import msgspec

from gateway.core.errors import Conflict, NotFound
from gateway.core.records import Key, Project
from gateway.keys import hash_secret, new_secret, redact
from gateway.organization.change import Actor, Change, EventDetails
from gateway.organization.key_records import write_key, write_rotation
from gateway.organization.new_limits import bind_new_limits
from gateway.organization.record_changes import KeyChange
from gateway.organization.registry import Registry, new_id, text
from gateway.store.stored import stored


class ServiceAccount(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who owns keys: a program of a project. `key_ids` are all it ever had."""

    id: str
    name: str
    created: int  # unix seconds
    key_ids: list[str] = []
    deleted_at: int | None = None


class IssuedKey(msgspec.Struct, frozen=True):
    """A fresh key with its secret, which is never shown again."""

    key: Key
    secret: str


_decode_key = stored(Key, "key")
_decode_account = stored(ServiceAccount, "service account")


class Credentials:
    """Accounts and keys of the projects of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._layout = registry.layout

    async def accounts(self, project_id: str) -> list[ServiceAccount]:
        """All accounts of a project, deleted ones too, oldest first."""
        found = await self._store.command("HVALS", self._accounts_key(project_id))
        return sorted((_decode_account(data) for data in found), key=lambda account: (account.created, account.id))

    async def account(self, project_id: str, account_id: str) -> ServiceAccount:
        """An account that was not deleted. Raises NotFound."""
        data = await self._store.command("HGET", self._accounts_key(project_id), account_id)
        account = _decode_account(data) if data else None
        if account is None or account.deleted_at is not None:
            raise NotFound(f"No such service account: '{account_id}'.", code="not_found")
        return account

    async def create_account(self, project_id: str, name: str, actor: Actor) -> ServiceAccount:
        """An account without a key. Raises NotFound, Conflict."""
        account = ServiceAccount(id=new_id("svc_acct_"), name=name, created=await self._registry.now())

        async def build() -> tuple[Change, ServiceAccount]:
            change = self._guarded_change(await self._registry.active_project(project_id))
            self._write_account(change, project_id, account)
            self._audit(change, actor, "service_account.created", account.id, {"project": project_id, "name": name})
            return change, account

        return await self._registry.perform(build)

    async def rename_account(self, project_id: str, account_id: str, name: str, actor: Actor) -> ServiceAccount:
        """Give an account another name. Raises NotFound, Conflict."""

        async def build() -> tuple[Change, ServiceAccount]:
            change = self._guarded_change(await self._registry.active_project(project_id))
            before = await self.account(project_id, account_id)
            after = msgspec.structs.replace(before, name=name)
            self._replace_account(change, project_id, before, after)
            self._audit(change, actor, "service_account.updated", account_id, {"project": project_id, "name": name})
            return change, after

        return await self._registry.perform(build)

    async def delete_account(self, project_id: str, account_id: str, actor: Actor) -> None:
        """Delete an account and revoke all its keys, in one step. Raises NotFound."""
        moment = await self._registry.now()

        async def build() -> tuple[Change, None]:
            before = await self.account(project_id, account_id)
            change = Change()
            self._replace_account(change, project_id, before, msgspec.structs.replace(before, deleted_at=moment))
            for key_hash, key in await self._hashed_keys(before.key_ids):
                if key.revoked_at is None:
                    write_key(change, self._layout, key_hash, msgspec.structs.replace(key, revoked_at=moment), moment)
            self._audit(change, actor, "service_account.deleted", account_id, {"project": project_id})
            return change, None

        await self._registry.perform(build)

    async def issue_key(self, project_id: str, account: ServiceAccount, given: KeyChange, actor: Actor) -> IssuedKey:
        """A new key of an account, named like it unless told otherwise. Raises NotFound, Conflict, InvalidRequest."""
        secret = new_secret()
        created = await self._registry.now()
        account_id = account.id
        key = given.applied(
            Key(
                id=new_id("key_"),
                version=1,
                project_id=project_id,
                name=account.name,
                created=created,
                redacted=redact(secret),
                service_account_id=account_id,
            )
        )

        async def build() -> tuple[Change, IssuedKey]:
            change = self._guarded_change(await self._registry.active_project(project_id))
            before = await self.account(project_id, account_id)
            after = msgspec.structs.replace(before, key_ids=[*before.key_ids, key.id])
            self._replace_account(change, project_id, before, after)
            key_hash = hash_secret(secret)
            change.record(self._layout.key(key_hash), 1, text(key))
            change.write("HSET", self._layout.shared("key_hashes"), key.id, key_hash)
            change.write("ZADD", self._layout.shared("project_keys", project_id), created, key.id)
            told = {"project": project_id, "account": account_id, **given.details()}
            self._audit(change, actor, "api_key.created", key.id, told)
            return change, IssuedKey(key, secret)

        return await self._registry.perform(build)

    async def key(self, project_id: str, key_id: str) -> Key:
        """A key of a project, revoked or not. Raises NotFound."""
        return (await self._hashed_key(project_id, key_id))[1]

    async def keys_of(self, key_ids: Sequence[str]) -> list[Key]:
        """The keys with these ids, in their order, without those that do not exist."""
        return [key for _, key in await self._hashed_keys(key_ids)]

    async def last_used(self, key_ids: Sequence[str]) -> dict[str, int]:
        """When each key's newest row was created, unix seconds; keys without a row are absent."""
        newest = await self._store.pipeline(
            [("ZRANGE", self._layout.rows(f"k:{key_id}"), 0, 0, "REV", "WITHSCORES") for key_id in key_ids]
        )
        return {key_id: int(float(row[1])) // 1000 for key_id, row in zip(key_ids, newest, strict=True) if row}

    async def revoke_key(self, project_id: str, key_id: str, actor: Actor) -> Key:
        """The key's next request is refused on every replica. Raises NotFound, also for a key revoked before."""
        moment = await self._registry.now()
        return await self._change_key(
            project_id,
            key_id,
            lambda key: msgspec.structs.replace(key, revoked_at=moment),
            ("api_key.deleted", {}),
            actor,
        )

    async def change_key(self, project_id: str, key_id: str, asked: KeyChange, actor: Actor) -> Key:
        """Give a key another name, owner, end, other limits and rules. Raises NotFound, Conflict, InvalidRequest."""

        async def build() -> tuple[Change, Key]:
            change = self._guarded_change(await self._registry.active_project(project_id))
            key_hash, before = await self._living_key(project_id, key_id)
            altered = asked.applied(before)
            if asked.owner is not None:
                account = await self._account_named(project_id, asked.owner)
                altered = await self._hand_over(change, altered, account)
            moment = await self._registry.now()
            after = write_key(change, self._layout, key_hash, altered, moment)
            bind_new_limits(change, self._layout, before, after, moment)
            self._audit(change, actor, "api_key.updated", key_id, {"project": project_id, **asked.details()})
            return change, after

        return await self._registry.perform(build)

    async def rotate_key(self, project_id: str, key_id: str, grace_seconds: int, actor: Actor) -> IssuedKey:
        """A new secret of a key; the old one is good for so long. Raises NotFound, Conflict."""
        secret = new_secret()

        async def build() -> tuple[Change, IssuedKey]:
            change = self._guarded_change(await self._registry.active_project(project_id))
            living = await self._living_key(project_id, key_id)
            moment = await self._registry.now()
            after = write_rotation(change, self._layout, living, secret, (moment, moment + grace_seconds))
            change.write("HSET", self._layout.shared("key_hashes"), key_id, hash_secret(secret))
            details: EventDetails = {"project": project_id, "grace_seconds": grace_seconds}
            self._audit(change, actor, "api_key.rotated", key_id, details)
            return change, IssuedKey(after, secret)

        return await self._registry.perform(build)

    async def _hand_over(self, change: Change, key: Key, account: ServiceAccount) -> Key:
        """The key as one of the account's; both accounts' lists go into the change."""
        project_id = key.project_id
        if account.id == key.service_account_id:
            return key
        before = await self.account(project_id, key.service_account_id)
        left = [each for each in before.key_ids if each != key.id]
        self._replace_account(change, project_id, before, msgspec.structs.replace(before, key_ids=left))
        more = [*account.key_ids, key.id]
        self._replace_account(change, project_id, account, msgspec.structs.replace(account, key_ids=more))
        return msgspec.structs.replace(key, service_account_id=account.id)

    async def _account_named(self, project_id: str, name_or_id: str) -> ServiceAccount:
        living = [each for each in await self.accounts(project_id) if each.deleted_at is None]
        found = [each for each in living if each.id == name_or_id]
        found = found or [each for each in living if each.name == name_or_id]
        if not found:
            raise NotFound(f"No such service account: '{name_or_id}'.", param="owner", code="not_found")
        if len(found) > 1:
            raise Conflict(f"Several service accounts are named '{name_or_id}': use an id.", param="owner")
        return found[0]

    async def _change_key(
        self, project_id: str, key_id: str, alter: Callable[[Key], Key], event: tuple[str, EventDetails], actor: Actor
    ) -> Key:
        async def build() -> tuple[Change, Key]:
            key_hash, before = await self._living_key(project_id, key_id)
            change = Change()
            after = write_key(change, self._layout, key_hash, alter(before), await self._registry.now())
            self._audit(change, actor, event[0], key_id, {"project": project_id, **event[1]})
            return change, after

        return await self._registry.perform(build)

    async def _living_key(self, project_id: str, key_id: str) -> tuple[str, Key]:
        """A key that was not revoked, with its hash."""
        key_hash, key = await self._hashed_key(project_id, key_id)
        if key.revoked_at is not None:
            raise no_such_key(key_id)
        return key_hash, key

    async def _hashed_key(self, project_id: str, key_id: str) -> tuple[str, Key]:
        for key_hash, key in await self._hashed_keys([key_id]):
            if key.project_id == project_id:
                return key_hash, key
        raise no_such_key(key_id)

    async def _hashed_keys(self, key_ids: Sequence[str]) -> list[tuple[str, Key]]:
        if not key_ids:
            return []
        hashes = await self._store.command("HMGET", self._layout.shared("key_hashes"), *key_ids)
        known = [key_hash.decode() for key_hash in hashes if key_hash]
        found = await self._store.pipeline([("HGET", self._layout.key(key_hash), "data") for key_hash in known])
        return [(key_hash, _decode_key(data)) for key_hash, data in zip(known, found, strict=True) if data]

    def _guarded_change(self, project: Project) -> Change:
        """A change that only succeeds while the project is as it was read: not archived meanwhile."""
        change = Change()
        change.expect(self._layout.project(project.id), "v", str(project.version))
        return change

    def _write_account(self, change: Change, project_id: str, account: ServiceAccount) -> None:
        change.write("HSET", self._accounts_key(project_id), account.id, text(account))
        change.show(self._accounts_key(project_id), account.id)

    def _replace_account(self, change: Change, project_id: str, before: ServiceAccount, after: ServiceAccount) -> None:
        change.expect(self._accounts_key(project_id), before.id, text(before))
        self._write_account(change, project_id, after)

    def _audit(self, change: Change, actor: Actor, event: str, target: str, details: EventDetails) -> None:
        change.audit(self._registry.audit_stream, actor, event, target, details)

    def _accounts_key(self, project_id: str) -> str:
        return self._layout.shared("accounts", project_id)


def no_such_key(key_id: str) -> NotFound:
    """The error for a key that is not, or no longer, in the project."""
    return NotFound(f"No such API key: '{key_id}'.", code="not_found")
