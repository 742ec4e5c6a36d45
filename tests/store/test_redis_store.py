"""The store client against a real server: batching, deadlines, reconnecting, and never sending twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from support.ledgers import fresh_layout
from support.valkey import ThrowAwayStore, throw_away_store

from gateway.core.errors import StoreAway
from gateway.store.contract import Reconnected, Unanswered
from gateway.store.layout import Layout
from gateway.store.redis_store import SCHEMA, RedisStore


@pytest.fixture
def server() -> Iterator[ThrowAwayStore]:
    with throw_away_store() as found:
        yield found


def run(server: ThrowAwayStore, scenario: Callable[[RedisStore, Layout], Awaitable[None]]) -> None:
    async def play() -> None:
        layout = fresh_layout()
        store = RedisStore(server.url, layout, deadline_seconds=0.3)
        try:
            await scenario(store, layout)
        finally:
            await store.close()

    asyncio.run(play())


async def once_back(call: Callable[[], Awaitable[object]]) -> object:
    while True:
        try:
            return await call()
        except StoreAway:
            await asyncio.sleep(0.02)


def test_command_replies_are_raw(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        assert await store.command("SET", "a", 5) == b"OK"
        assert await store.command("GET", b"a") == b"5"
        assert await store.command("GET", "missing") is None
        assert await store.pipeline([("INCR", "a"), ("GET", "a"), ("LRANGE", "l", 0, -1)]) == [6, b"6", []]

    run(server, scenario)


def test_command_calls_made_together_share_pipelines(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        await store.command("PING")
        replies = await asyncio.gather(*(store.command("INCR", "n") for _ in range(100)))
        assert replies == list(range(1, 101))
        assert (store.pipelines, store.commands) == (2, 101)

    run(server, scenario)


def test_pipeline_with_an_error_raises_after_all_are_answered(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        with pytest.raises(StoreAway, match="WRONGTYPE"):
            await store.pipeline([("SET", "a", 1), ("HGET", "a", "b"), ("SET", "c", 2)])
        assert await store.command("GET", "c") == b"2"

    run(server, scenario)


def test_script_unknown_to_the_store_is_loaded_and_run_once(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        for _ in range(2):
            await store.command("SCRIPT", "FLUSH")
            found = await asyncio.gather(*(store.script("ensure_organization", ["org"], ["x", 1]) for _ in range(3)))
            assert found == [b"x"] * 3
        await store.command("SCRIPT", "FLUSH")
        step = store.step("ensure_organization", ["org"], ["y", 1])
        assert await store.pipeline([step, ("PING",), step]) == [b"x", b"PONG", b"x"]

    run(server, scenario)


def test_command_to_a_frozen_store_is_unanswered_and_not_repeated(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        await store.command("SET", "n", 0)
        server.freeze()
        try:
            replies = await asyncio.gather(*(store.command("INCR", "n") for _ in range(3)), return_exceptions=True)
        finally:
            server.thaw()
        assert all(isinstance(reply, Unanswered) for reply in replies)
        # What was sent may happen, what is asked later comes after it, and nothing happens twice.
        assert await once_back(lambda: store.command("GET", "n")) in (b"0", b"3")
        assert await once_back(lambda: store.command("GET", "n")) == b"3"

    run(server, scenario)


def test_command_after_a_restart_works_without_a_new_client(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        await store.bind_instance(None)
        generation = store.generation
        server.kill()
        with pytest.raises(StoreAway):
            await store.command("PING")
        with pytest.raises(StoreAway):
            await store.command("PING")
        server.start()
        assert await once_back(lambda: store.command("PING")) == b"PONG"
        assert store.generation > generation

    run(server, scenario)


def test_script_bound_to_a_lost_connection_is_not_sent(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        await store.command("PING")
        generation = store.generation
        store.suspect()
        with pytest.raises(Reconnected):
            await store.script("ensure_organization", ["org"], ["x", 1], generation)
        assert await store.command("EXISTS", "org") == 0
        assert await store.script("ensure_organization", ["org"], ["x", 1], store.generation) == b"x"

    run(server, scenario)


def test_command_given_up_before_it_left_is_never_sent(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        await store.command("PING")
        task = asyncio.ensure_future(store.command("SET", "given-up", 1))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await store.command("EXISTS", "given-up") == 0

    run(server, scenario)


def test_bind_instance_empty_store_gets_an_id_and_keeps_it(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        first = await store.bind_instance(None)
        assert await store.bind_instance(None) == first
        assert await store.bind_instance(first) == first
        with pytest.raises(StoreAway, match="another gateway's store"):
            await store.bind_instance("somebody-else")

    run(server, scenario)


def test_bind_instance_emptied_store_is_away(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        first = await store.bind_instance(None)
        await store.command("FLUSHALL")
        with pytest.raises(StoreAway, match="an empty store"):
            await store.bind_instance(first)

    run(server, scenario)


def test_store_of_a_newer_gateway_is_refused_and_of_this_one_says_its_schema(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        instance = await store.bind_instance(None)
        assert await store.command("HGET", layout.shared("meta"), "schema") == str(SCHEMA).encode()
        await store.command("HSET", layout.shared("meta"), "schema", SCHEMA + 1)
        with pytest.raises(StoreAway, match=f"schema {SCHEMA + 1}, of a newer gateway; this one knows {SCHEMA}"):
            await store.bind_instance(instance)
        newer = RedisStore(server.url, layout)
        with pytest.raises(StoreAway, match="upgrade"):
            await newer.bind_instance(None)
        await newer.close()

    run(server, scenario)


def test_is_answering_follows_the_last_round_trip(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        said = [store.is_answering]
        server.freeze()
        with pytest.raises(StoreAway):
            await store.command("PING")
        said.append(store.is_answering)
        server.thaw()
        await once_back(lambda: store.command("PING"))
        assert [*said, store.is_answering] == [True, False, True]

    run(server, scenario)


def test_command_to_nowhere_fails_at_once(server: ThrowAwayStore) -> None:
    async def play() -> None:
        store = RedisStore("redis://127.0.0.1:1", fresh_layout())
        for _ in range(3):
            with pytest.raises(StoreAway) as caught:
                await store.command("PING")
            assert not isinstance(caught.value, Unanswered)
        await store.close()
        with pytest.raises(StoreAway, match="closed"):
            await store.command("PING")

    asyncio.run(play())


def test_close_with_calls_under_way_fails_them(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout) -> None:
        await store.command("PING")
        server.freeze()
        try:
            waiting = [asyncio.ensure_future(store.command("PING")) for _ in range(3)]
            await asyncio.sleep(0)
            await store.close()
            assert all(isinstance(e, StoreAway) for e in await asyncio.gather(*waiting, return_exceptions=True))
        finally:
            server.thaw()

    run(server, scenario)
