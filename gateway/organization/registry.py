"""The organisation's records in the store: the organisation itself, its projects and their spend limits.

Every change is one step (change.py) that raises the version of the record it touches, so that each hold on each replica
sees either the record before or the one after, and leaves an entry in the audit stream. It speaks no HTTP and knows
no wire format.
"""

import secrets
import string
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from gateway.core.errors import Conflict, NotFound
from gateway.core.limits import used_field, window_at
from gateway.core.records import Organization, Project, SpendLimit
from gateway.keys import ensure_organization
from gateway.organization.change import Actor, Change, EventDetails
from gateway.organization.limit_changes import LimitChange, changed_limits, changes_text
from gateway.organization.new_limits import bind_new_limits
from gateway.organization.record_changes import ProjectChange
from gateway.store.contract import Store
from gateway.store.layout import Layout
from gateway.store.stored import stored

T = TypeVar("T")

_ALPHABET: Final = string.ascii_letters + string.digits
_ID_CHARACTERS: Final = 24  # log2(62) * 24 = 143 random bits

# Two admins changing one record at the same moment: the later one reads again. More than a few rounds means a loop.
_ROUNDS: Final = 10

_encode = msgspec.json.Encoder().encode
_decode_project = stored(Project, "project")
_decode_organization = stored(Organization, "organization")


def new_id(prefix: str) -> str:
    """An unguessable id, e.g. `proj_` and 24 letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARACTERS))


def text(record: msgspec.Struct) -> str:
    """A record as it lies in the store."""
    return _encode(record).decode()


class Registry:
    """Organisation and projects. Shares `store` and `layout` with `Credentials`: accounts and keys."""

    def __init__(self, store: Store, layout: Layout) -> None:
        self.store = store
        self.layout = layout
        self.audit_stream = layout.shared("audit")

    async def now(self) -> int:
        """Unix seconds by the store's clock, the one that decides windows and expiry."""
        return int((await self.store.command("TIME"))[0])

    async def organization(self) -> Organization:
        """The organisation, made where nothing was ever written about it."""
        data = await self.store.command("HGET", self.layout.shared("org"), "data")
        return _decode_organization(data) if data else await ensure_organization(self.store, self.layout)

    async def project(self, project_id: str) -> Project:
        """A project, archived or not. Raises NotFound."""
        data = await self.store.command("HGET", self.layout.project(project_id), "data")
        if not data:
            raise no_such_project(project_id)
        return _decode_project(data)

    async def active_project(self, project_id: str) -> Project:
        """A project that may still be changed. Raises NotFound, Conflict."""
        project = await self.project(project_id)
        if project.archived_at is not None:
            raise Conflict(f"Project '{project_id}' is archived and cannot be changed.", code="project_archived")
        return project

    async def projects_of(self, project_ids: Sequence[str]) -> list[Project]:
        """The projects with these ids, in their order, without those that do not exist."""
        found = await self.store.pipeline([("HGET", self.layout.project(each), "data") for each in project_ids])
        return [_decode_project(data) for data in found if data]

    async def create_project(self, name: str, given: ProjectChange, actor: Actor) -> Project:
        """A new, empty project with these limits and rules. Raises InvalidRequest."""
        created = await self.now()
        project = given.applied(Project(id=new_id("proj_"), version=1, name=name, created=created))

        async def build() -> tuple[Change, Project]:
            change = Change()
            change.record(self.layout.project(project.id), 1, text(project))
            change.write("ZADD", self.layout.shared("projects"), created, project.id)
            change.audit(self.audit_stream, actor, "project.created", project.id, {"name": name, **given.details()})
            return change, project

        return await self.perform(build)

    async def alter_project(self, project_id: str, asked: ProjectChange, actor: Actor) -> Project:
        """Give an active project another name, other limits, other rules. Raises NotFound, Conflict, InvalidRequest."""
        return await self.change_project(project_id, asked.applied, "project.updated", asked.details(), actor)

    async def change_project(
        self,
        project_id: str,
        alter: Callable[[Project], Project],
        event: str,
        details: EventDetails,
        actor: Actor,
    ) -> Project:
        """Replace an active project's record by what `alter` makes of it. Raises NotFound, Conflict."""

        async def build() -> tuple[Change, Project]:
            before = await self.active_project(project_id)
            after = msgspec.structs.replace(alter(before), version=before.version + 1)
            change = Change()
            change.record(self.layout.project(project_id), after.version, text(after))
            bind_new_limits(change, self.layout, before, after, await self.now())
            change.audit(self.audit_stream, actor, event, project_id, details)
            return change, after

        return await self.perform(build)

    async def archive_project(self, project_id: str, actor: Actor) -> Project:
        """From now on every hold of the project is refused. Archiving twice changes nothing."""
        project = await self.project(project_id)
        if project.archived_at is not None:
            return project
        moment = await self.now()
        return await self.change_project(
            project_id,
            lambda before: msgspec.structs.replace(before, archived_at=moment),
            "project.archived",
            {},
            actor,
        )

    async def limit_project(self, project_id: str, limit: SpendLimit | None, actor: Actor) -> Project:
        """Set or remove a project's hard budget."""
        return await self.change_project(
            project_id,
            lambda before: msgspec.structs.replace(before, spend_limit=limit),
            *_limit_event("project", limit),
            actor,
        )

    async def limit_organization(self, limit: SpendLimit | None, actor: Actor) -> Organization:
        """Set or remove the hard budget of the whole gateway."""
        return await self._change_organization(
            lambda before: msgspec.structs.replace(before, spend_limit=limit),
            _limit_event("organization", limit),
            actor,
        )

    async def _change_organization(
        self, alter: Callable[[Organization], Organization], event: tuple[str, EventDetails], actor: Actor
    ) -> Organization:
        async def build() -> tuple[Change, Organization]:
            before = await self.organization()
            after = msgspec.structs.replace(alter(before), version=before.version + 1)
            change = Change()
            change.record(self.layout.shared("org"), after.version, text(after))
            bind_new_limits(change, self.layout, before, after, await self.now())
            change.audit(self.audit_stream, actor, event[0], after.id, event[1])
            return change, after

        return await self.perform(build)

    async def alter_organization_limits(self, changes: Sequence[LimitChange], actor: Actor) -> Organization:
        """Set or remove limits of any kind of the whole gateway."""
        return await self._change_organization(
            lambda before: msgspec.structs.replace(before, limits=changed_limits(before.limits, changes)),
            ("organization.limits.updated", {"limits": changes_text(changes)}),
            actor,
        )

    async def tell(self, actor: Actor, event: str, target: str, details: Mapping[str, object]) -> None:
        """Put an act that changes no record into the audit."""
        change = Change()
        change.audit(self.audit_stream, actor, event, target, details)
        await change.apply(self.store)

    async def used_this_month(self, scope: str) -> int:
        """Nano-dollars settled this calendar month in a scope: `o` or `p:<project id>`. What is held is not in it."""
        window = window_at("month", await self.now() * 1000, self.layout.zone)
        return int(await self.store.command("HGET", self.layout.spent(scope), used_field("money", window)) or 0)

    async def perform(self, build: Callable[[], Awaitable[tuple[Change, T]]]) -> T:
        """Read, decide and write; again from the start where another admin was faster. Raises Conflict, StoreAway."""
        for _ in range(_ROUNDS):
            change, result = await build()
            if await change.apply(self.store):
                return result
        raise Conflict("The object is being changed by somebody else at the same time; try again.")


def no_such_project(project_id: str) -> NotFound:
    """The error for a project that is not there, or not the asker's."""
    return NotFound(f"No such project: '{project_id}'.", code="not_found")


def _limit_event(scope: str, limit: SpendLimit | None) -> tuple[str, EventDetails]:
    if limit is None:
        return f"{scope}.spend_limit.deleted", {}
    return f"{scope}.spend_limit.updated", {"limit_nano": limit.limit_nano, "interval": limit.interval}
