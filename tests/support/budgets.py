"""An organisation in a real store whose budgets are set, and used up by hand."""

import time
from collections.abc import Awaitable, Callable

from gateway.core.records import Project
from gateway.organization.change import Actor
from gateway.organization.credentials import Credentials
from gateway.organization.limit_changes import LimitChange
from gateway.organization.record_changes import ProjectChange
from gateway.organization.registry import Registry
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

ACTOR = Actor("tests", "req_tests")


class World:
    """An organisation's records and counters."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.layout = Layout("alerts:")
        self.registry = Registry(store, self.layout)
        self.credentials = Credentials(self.registry)

    async def project(self, name: str, *limits: LimitChange) -> Project:
        return await self.registry.create_project(name, ProjectChange(limits=limits), ACTOR)

    async def limit(self, project: Project, *limits: LimitChange) -> None:
        await self.registry.alter_project(project.id, ProjectChange(limits=limits), ACTOR)

    async def use(self, scope: str, field: str, amount: int, *, project: str = "proj_x", key: str = "key_x") -> None:
        """As settling would: the counter, and the roll-up of this hour."""
        hour = int(time.time()) // 3600 * 3600
        await self.store.pipeline(
            [
                ("HINCRBY", self.layout.spent(scope), field, amount),
                ("HSET", self.layout.shared("use", "h", hour), f"{project}|{key}|m", f"1 {amount} 0 0 0 0 0"),
            ]
        )


Play = Callable[[Callable[[World], Awaitable[None]]], None]
