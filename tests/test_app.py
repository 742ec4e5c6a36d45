"""A whole worker opening and closing: what it refuses while its store is away, and what its readiness says."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from support.upstreams import on_loop
from support.valkey import throw_away_store
from support.worker import RunningWorker, asking, running_worker, serving, until, worker_settings

from gateway.app import create_app
from gateway.keys import new_secret
from gateway.ledger.spool import SEGMENT_BYTES
from gateway.simulator import SimulatorOptions, running


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process can grow past `size` bytes: what a full disk is like."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def problems(worker: RunningWorker) -> tuple[int, list[str]]:
    answer = await worker.http.get("/readyz")
    return answer.status_code, answer.json().get("problems", [])


async def until_ready(worker: RunningWorker) -> None:
    async with asyncio.timeout(20):
        while (await problems(worker))[0] != 200:  # noqa: ASYNC110  # asked over HTTP, as an operator does
            await asyncio.sleep(0.05)


@on_loop
async def test_readiness_of_a_worker_with_its_store_is_ready(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answer = await worker.http.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
        assert (await worker.http.get("/healthz")).json() == {"status": "alive"}


@on_loop
async def test_leaving_worker_is_not_ready_and_serves(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        worker.app.leave()
        assert await problems(worker) == (503, ["the gateway is shutting down"])
        assert (await worker.ask("hello")).status_code == 200


@on_loop
async def test_store_away_at_the_start_is_refused_with_the_reason_until_it_comes() -> None:
    with throw_away_store() as store:
        store.kill()
        async with running_worker(store.url, is_store_there=False) as worker:
            status, reasons = await problems(worker)
            assert status == 503
            assert reasons[0].startswith("store: ")
            worker.key = new_secret()
            refused = await worker.ask("hello")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.headers["x-request-id"].startswith("req_")
            assert (await worker.http.get("/healthz")).status_code == 200
            assert (await worker.request("GET", "/v1/models")).status_code == 503
            assert (await worker.request("GET", "/v1/models", headers={"authorization": "Bearer x"})).status_code == 401
            store.start()
            await until_ready(worker)
            await worker.store.bind_instance(None)
            await worker.make_key()
            assert (await worker.ask("hello")).status_code == 200
            assert len(await worker.rows(1)) == 1


@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_store_frozen_is_503_in_time_and_works_again_after(stream: bool) -> None:
    with throw_away_store() as store:
        async with running_worker(store.url) as worker:
            assert (await worker.ask("hello", stream=stream)).status_code == 200
            store.freeze()
            try:
                refused = await worker.ask("hello", stream=stream)
                status, reasons = await problems(worker)
            finally:
                store.thaw()
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
            assert "retry-after" in refused.headers
            assert (status, reasons[0].partition(":")[0]) == (503, "store")
            await until_ready(worker)
            assert (await worker.ask("hello", stream=stream)).status_code == 200
            assert len(await worker.rows(2)) == 2


@on_loop
async def test_store_frozen_while_an_answer_is_made_loses_nothing() -> None:
    with throw_away_store() as store:
        async with running_worker(store.url) as worker:
            asked = asyncio.create_task(worker.ask("hello [[sim: gate=door]]"))
            await worker.at_gate("door")
            store.freeze()
            try:
                worker.upstream.open_gate("door")
                answer = await asked
                assert worker.ledger.pending == 1  # the client has its answer, the spool has its receipt
            finally:
                store.thaw()
            assert answer.status_code == 200
            (row,) = await worker.rows(1)
            assert row.id == answer.headers["x-request-id"]


@on_loop
async def test_readiness_names_a_store_that_may_evict() -> None:
    with throw_away_store() as store, redis.Redis.from_url(store.url) as other:
        other.config_set("maxmemory-policy", "allkeys-lru")
        async with running_worker(store.url) as worker:
            status, reasons = await problems(worker)
            assert status == 503
            assert "maxmemory-policy is allkeys-lru" in reasons[0]
            other.config_set("maxmemory-policy", "noeviction")
            assert (await problems(worker))[0] == 200


@on_loop
async def test_readiness_of_a_store_that_does_not_tell_its_configuration_is_ready() -> None:
    with throw_away_store() as store, redis.Redis.from_url(store.url) as other:
        other.acl_setuser(
            "tenant", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], categories=["+@all"],
            commands=["-config"],
        )  # fmt: skip
        url = f"unix://tenant@{store.socket}?password=secret"
        async with running_worker(url) as worker:
            assert await problems(worker) == (200, [])
            assert (await worker.ask("hello")).status_code == 200


@on_loop
async def test_store_with_other_data_is_away_and_not_everybody_revoked(tmp_path: Path) -> None:
    with throw_away_store() as store:
        async with running(SimulatorOptions(seed=1)) as upstream:
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "store-instance").write_text("0123456789abcdef0123456789abcdef\n")
            worker = worker_settings(upstream, store.url, tmp_path)
            with redis.Redis.from_url(store.url) as other:
                other.hset(f"{worker.settings.store.prefix}{{default}}:meta", "instance", "f" * 32)
            app = create_app(worker)
            async with serving(app):
                assert not app._is_open
                found = await app._problems()
                assert found[0].startswith("store: ")


@on_loop
async def test_worker_remembers_its_store_across_a_restart(store_url: str, tmp_path: Path) -> None:
    async with running(SimulatorOptions(seed=1)) as upstream:
        worker = worker_settings(upstream, store_url, tmp_path)
        async with serving(create_app(worker)):
            first = (tmp_path / "data" / "store-instance").read_text()
        async with serving(create_app(worker)):
            assert (tmp_path / "data" / "store-instance").read_text() == first
        assert len(first.strip()) >= 32


@on_loop
async def test_worker_that_cannot_write_its_data_says_so_until_it_can(store_url: str) -> None:
    with largest_file(8):  # the name of the store does not fit
        async with running_worker(store_url, is_store_there=False) as worker:
            status, reasons = await problems(worker)
            assert status == 503
            assert "store-instance cannot be written" in reasons[0]
            with largest_file(resource.RLIM_INFINITY):
                await until_ready(worker)


@on_loop
async def test_disk_without_room_for_receipts_is_503_until_there_is_room(store_url: str) -> None:
    with largest_file(SEGMENT_BYTES // 2):
        async with running_worker(store_url) as worker:
            status, reasons = await problems(worker)
            assert (status, reasons) == (503, ["spool: no room on the disk for receipts"])
            refused = await worker.ask("hello")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
            assert worker.upstream.record.total == 0
            with largest_file(resource.RLIM_INFINITY):
                assert (await worker.ask("hello")).status_code == 200
                assert (await problems(worker))[0] == 200
                assert len(await worker.rows(1)) == 1


@on_loop
async def test_worker_closing_brings_its_receipts_to_the_store(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        answers = await asyncio.gather(*(worker.ask("hello") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        worker.server.is_over.set()
        await until(lambda: not worker.ledger.pending)
        assert len(await worker.rows(8)) == 8


@on_loop
async def test_worker_closing_without_its_store_leaves_the_spool_to_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with throw_away_store() as store:
        async with running_worker(store.url) as worker:
            async with worker.connection(asking("hello [[sim: gate=door]]")) as client:
                await worker.at_gate("door")
                store.kill()
                worker.upstream.open_gate("door")
                await client.until(b"service_tier")
            assert worker.ledger.pending == 1
    assert "1 receipts wait in the spool" in caplog.text


@on_loop
async def test_metrics_follow_what_happens(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        async with worker.connection(asking("hello [[sim: gate=door]]")):
            await worker.at_gate("door")
            registry = worker.app._metrics.registry
            async with asyncio.timeout(20):
                while registry.get_sample_value("gateway_requests_in_flight") != 1:  # noqa: ASYNC110  # set by a timer
                    await asyncio.sleep(0.02)
            assert registry.get_sample_value("gateway_store_connected_workers") == 1
            worker.upstream.open_gate("door")
            await worker.rows(1)
        assert registry.get_sample_value("gateway_client_disconnects_total") == 0
