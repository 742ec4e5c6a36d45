"""Running requests of whom may not go on any more: ended within seconds, on every replica, and by nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from support.ledgers import fresh_layout, make_identity, write_identity
from support.upstreams import on_loop
from support.valkey import ThrowAwayStore, throw_away_store
from support.worker import RunningWorker, asking, chunks_of, running_worker

from gateway.core.errors import StoreAway
from gateway.core.records import Identity, Rules
from gateway.relay import Exchange
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore
from gateway.withdrawal import Withdrawals

STREAM = "Count to 900 [[sim: pace=0.02]]"


@pytest.fixture(scope="module")
def server() -> Iterator[ThrowAwayStore]:
    with throw_away_store() as found:
        yield found


class Running:
    """A watched exchange with nothing to do."""

    def __init__(self, watch: Withdrawals, identity: Identity) -> None:
        self.exchange = Exchange({"headers": []}, self._never, self._nowhere)
        self.task: asyncio.Task[Any] = asyncio.ensure_future(asyncio.sleep(60))
        self.exchange.watch(self.task.cancel)
        watch.join(self.exchange, identity, self.task)

    async def _never(self) -> dict[str, Any]:
        return await asyncio.Future()

    async def _nowhere(self, event: Any) -> None:
        raise AssertionError(event)

    @property
    def told(self) -> str:
        return "" if self.exchange.stopped is None else self.exchange.stopped.message


Scenario = Callable[[RedisStore, Layout, Withdrawals, Identity], Awaitable[None]]


def play(server: ThrowAwayStore, scenario: Scenario, rules: Rules = Rules()) -> None:  # noqa: B008 – a value
    async def run() -> None:
        layout, made = fresh_layout(), make_identity()
        identity = replace(made, key=replace(made.key, rules=rules))
        store = RedisStore(server.url, layout)
        try:
            await store.bind_instance(None)
            await write_identity(store, layout, identity)
            await scenario(store, layout, Withdrawals(store, layout), identity)
        finally:
            await store.close()

    asyncio.run(run())


async def change(store: RedisStore, layout: Layout, identity: Identity, **fields: Any) -> Identity:
    """The key, or with `archived_at` the project, changed in the store."""
    if "archived_at" in fields:
        project = replace(identity.project, version=identity.project.version + 1, **fields)
        changed = replace(identity, project=project)
    else:
        changed = replace(identity, key=replace(identity.key, version=identity.key.version + 1, **fields))
    await write_identity(store, layout, changed)
    return changed


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"revoked_at": 5}, "revoked"), ({"disabled": True}, "disabled"), ({"archived_at": 5}, "archived")],
)
def test_look_stops_whom_the_records_end(server: ThrowAwayStore, fields: dict[str, Any], reason: str) -> None:
    async def scenario(store: RedisStore, layout: Layout, watch: Withdrawals, identity: Identity) -> None:
        running, other = Running(watch, identity), Running(watch, make_identity(key="key_2", project="proj_2"))
        await write_identity(store, layout, make_identity(key="key_2", project="proj_2"))
        await watch.look()
        assert not running.told
        await change(store, layout, identity, **fields)
        await watch.look()
        assert f"has been {reason}." in running.told
        with pytest.raises(asyncio.CancelledError):
            await running.task
        assert not other.told
        other.task.cancel()

    play(server, scenario)


def test_look_stops_a_revoked_key_where_the_record_of_another_cannot_be_read(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, watch: Withdrawals, identity: Identity) -> None:
        second = make_identity(key="key_2", project="proj_2")
        other, running = Running(watch, second), Running(watch, identity)
        await write_identity(store, layout, second)
        await store.pipeline([("HSET", layout.key(second.key_hash), "v", 9, "data", '{"id": "key_2", "new": ')])
        await change(store, layout, identity, revoked_at=5)
        await watch.look()
        assert "has been revoked." in running.told
        assert not other.told
        await change(store, layout, second, revoked_at=5)
        await watch.look()
        assert "has been revoked." in other.told

    play(server, scenario)


def test_look_lets_a_stream_finish_where_the_rule_says_so(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, watch: Withdrawals, identity: Identity) -> None:
        running = Running(watch, identity)
        await change(store, layout, identity, revoked_at=5)
        await watch.look()
        assert not running.told
        running.task.cancel()

    play(server, scenario, Rules(on_revoke="finish"))


def test_look_at_a_changed_but_valid_key_reads_it_once(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, watch: Withdrawals, identity: Identity) -> None:
        running = Running(watch, identity)
        changed = await change(store, layout, identity, name="renamed", expires_at=5)
        await watch.look()
        before = store.commands
        await watch.look()
        assert store.commands - before == 2  # two versions
        assert not running.told
        await change(store, layout, changed, revoked_at=5)
        await watch.look()
        assert running.told

    play(server, scenario)


def test_look_with_nothing_running_asks_nothing(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, watch: Withdrawals, identity: Identity) -> None:
        running = Running(watch, identity)
        watch.leave(running.exchange)
        watch.leave(running.exchange)
        running.task.cancel()
        before = store.commands
        await watch.look()
        assert store.commands == before

    play(server, scenario)


def test_look_at_an_emptied_store_stops_nobody(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, watch: Withdrawals, identity: Identity) -> None:
        running = Running(watch, identity)
        await store.command("FLUSHALL")
        await watch.look()
        assert not running.told
        with pytest.raises(StoreAway):  # and the store is not ours any more
            await watch.look()
        running.task.cancel()

    play(server, scenario)


def test_look_at_a_deleted_key_stops_it(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, watch: Withdrawals, identity: Identity) -> None:
        running = Running(watch, identity)
        await store.command("DEL", layout.key(identity.key_hash))
        await watch.look()
        assert "revoked" in running.told

    play(server, scenario)


async def revoke(worker: RunningWorker) -> None:
    (key,) = (await worker.admin("GET", f"/projects/{worker.project}/api_keys"))["data"]
    await worker.admin("DELETE", f"/projects/{worker.project}/api_keys/{key['id']}")


@on_loop
async def test_running_stream_of_a_revoked_key_ends_with_an_error_event_and_a_row(store_url: str) -> None:
    async with running_worker(store_url) as worker, worker.connection(asking(STREAM, stream=True)) as stream:
        await stream.until(b"data: ")
        await revoke(worker)
        told = chunks_of(await stream.until(b'"error"'))[-1]["error"]
        assert told["code"] == "invalid_api_key"
        assert told["message"] == "This API key has been revoked. The answer ends here."
        (row,) = await worker.rows(1)
        assert (row.end_reason, row.usage_source, row.status) == ("cut", "counted", 200)
        assert 0 < row.completion_tokens < 900


@on_loop
async def test_whole_answer_under_way_is_refused_and_booked(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        asked = asyncio.ensure_future(worker.ask("hello [[sim: gate=slow]]"))
        await worker.at_gate("slow")
        await revoke(worker)
        answer = await asked
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        worker.upstream.open_gate("slow")
        (row,) = await worker.rows(1)
        assert (row.end_reason, row.usage_source, row.status) == ("failed", "estimated", 401)
