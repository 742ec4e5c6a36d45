"""Clients that leave, under either rule: who is read to the end, within which bounds, and what the row says."""

from typing import Any

import pytest
from support.upstreams import on_loop
from support.worker import RunningWorker, asking, running_worker, until

from gateway.core.receipt import Receipt
from gateway.core.records import Rules
from gateway.departures import DRAINS_AT_ONCE, Departures

DRAIN = Rules(on_disconnect="drain")
AT_ONCE = {"client": "httpx2"}  # the other client closes a call only once its headers have come
COUNT = "Count to 300 [[sim: {}]]"


def ends(row: Receipt) -> tuple[str, str, int]:
    return row.end_reason, row.usage_source, row.status


def departures(worker: RunningWorker) -> Departures:
    return worker.app._dispatch._departures


def upstream_saw(worker: RunningWorker) -> list[tuple[bool, int, int]]:
    return [(call.client_gone, call.prompt_tokens, call.completion_tokens) for call in worker.upstream.record.calls]


async def leave_behind(
    worker: RunningWorker, text: str, after: bytes | None, **fields: Any
) -> None:  # any field of a request
    """Ask, hang up once `after` has come (None: once the upstream call waits at the gate `door`)."""
    async with worker.connection(asking(text, **fields)) as client:
        await (worker.at_gate("door") if after is None else client.until(after))
        client.leave()
    await until(lambda: departures(worker).draining)


@pytest.mark.parametrize("stream", [True, False])
@on_loop
async def test_drain_before_the_first_byte_books_what_the_upstream_reports(store_url: str, stream: bool) -> None:
    async with running_worker(store_url) as worker:
        await worker.set_rules(DRAIN)
        await leave_behind(worker, COUNT.format("gate=door"), None, stream=stream)
        worker.upstream.state.gates.open("door")
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "reported", 499)
        assert [attempt.end for attempt in row.attempts] == ["length" if row.completion_tokens == 256 else "stop"]
        assert upstream_saw(worker) == [(False, row.prompt_tokens, row.completion_tokens)]
        assert departures(worker).draining == 0


@on_loop
async def test_drain_in_the_middle_of_a_stream_books_what_the_upstream_reports(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.set_rules(DRAIN)
        await leave_behind(worker, COUNT.format("pace=0.002"), b"data: ", stream=True)
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "reported", 200)
        assert upstream_saw(worker) == [(False, row.prompt_tokens, row.completion_tokens)]


@on_loop
async def test_drain_ends_after_so_many_tokens_and_books_what_was_read(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.set_rules(Rules(on_disconnect="drain", drain_tokens=5))
        await leave_behind(worker, COUNT.format("pace=0.01"), b"data: ", stream=True)
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "counted", 200)
        assert 5 <= row.completion_tokens < 100
        await until(lambda: all(call.end != "running" for call in worker.upstream.record.calls))
        assert upstream_saw(worker)[0][0]


@pytest.mark.parametrize(("stream", "completion"), [(True, 0), (False, 256)])
@on_loop
async def test_drain_ends_after_so_many_seconds(store_url: str, stream: bool, completion: int) -> None:
    async with running_worker(store_url) as worker:
        await worker.set_rules(Rules(on_disconnect="drain", drain_seconds=1))
        await leave_behind(worker, COUNT.format("gate=door"), None, stream=stream)
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "estimated", 499)
        assert row.completion_tokens == completion
        assert departures(worker).draining == 0


@on_loop
async def test_drain_is_ended_by_the_shutdown(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.set_rules(DRAIN)
        await leave_behind(worker, COUNT.format("gate=door"), None, stream=False)
        worker.cancel_requests()
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "estimated", 499)


@on_loop
async def test_drain_beyond_the_bound_of_drains_is_a_cancel(store_url: str) -> None:
    async with running_worker(store_url, upstream=AT_ONCE) as worker:
        await worker.set_rules(DRAIN)
        departures(worker).draining = DRAINS_AT_ONCE
        await leave_behind(worker, COUNT.format("gate=door"), None, stream=True)
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "estimated", 499)
        await until(lambda: not worker.upstream.state.gates.waiting.get("door"))


@on_loop
async def test_drain_that_fails_is_not_tried_again_and_costs_nothing(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.set_rules(DRAIN)
        await leave_behind(worker, COUNT.format("gate=door error=3040"), None, stream=False, model="auto")
        worker.upstream.state.gates.open("door")
        (row,) = await worker.rows(1)
        assert (row.end_reason, row.cost_nano) == ("client_gone", 0)
        assert len(row.attempts) == 1


@on_loop
async def test_client_gone_while_queued_uses_nothing_and_is_not_drained(store_url: str) -> None:
    one_a_minute = {"requests_per_minute": 1, "queue_seconds": 60}
    async with running_worker(store_url, account=one_a_minute) as worker:
        await worker.set_rules(DRAIN)
        assert (await worker.ask("Hello")).status_code == 200
        async with worker.connection(asking("Hello", stream=False)) as client:
            await until(lambda: worker.app._governor.queued)
            client.leave()
        await until(lambda: not worker.app._governor.queued)
        await worker.rows(1)
        assert len(worker.upstream.record.calls) == 1


@on_loop
async def test_default_is_to_cancel_at_once(store_url: str) -> None:
    async with running_worker(store_url, upstream=AT_ONCE) as worker:
        async with worker.connection(asking(COUNT.format("gate=door"), stream=False)) as client:
            await worker.at_gate("door")
            client.leave()
        (row,) = await worker.rows(1)
        assert ends(row) == ("client_gone", "estimated", 499)
        assert row.completion_tokens == 256  # what is expected as long as nothing was learned
        await until(lambda: not worker.upstream.state.gates.waiting.get("door"))
