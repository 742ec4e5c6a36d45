"""A store, emptied for each test, with an organisation in it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from support.budgets import Play, World
from support.valkey import ThrowAwayStore, throw_away_store

from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore


@pytest.fixture(scope="session")
def server() -> Iterator[ThrowAwayStore]:
    with throw_away_store() as found:
        yield found


@pytest.fixture
def play(server: ThrowAwayStore) -> Play:
    """Runs a scenario on an empty store."""

    def run(scenario: Callable[[World], Awaitable[None]]) -> None:
        async def act() -> None:
            store = RedisStore(server.url, Layout("alerts:"))
            try:
                await store.command("FLUSHDB")
                await scenario(World(store))
            finally:
                await store.close()

        asyncio.run(act())

    return run
