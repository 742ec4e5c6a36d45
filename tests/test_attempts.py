"""Attempts against a real upstream: all choices or a failure, everything answered booked, every connection closed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.jobs import make_call, make_job
from support.raw_server import Exchange, RawServer, raw_server
from support.upstreams import on_loop, upstream_settings
from support.worker import until

from gateway.attempts import Attempting
from gateway.client.select import create_client
from gateway.config.settings import UpstreamSettings
from gateway.core.answer import Delta, Failure, Finish
from gateway.core.call import ResponseFormat, Sampling, Tool
from gateway.core.catalog import Range
from gateway.job import Job
from gateway.simulator import Simulator, SimulatorOptions, running
from gateway.tokenizer import load_tokenizer
from gateway.upstreams import UPSTREAMS

TOKENIZER = load_tokenizer()


@asynccontextmanager
async def attempting(settings: UpstreamSettings, first_byte_seconds: float = 10.0) -> AsyncIterator[Attempting]:
    client = create_client(settings)
    try:
        yield Attempting(client, UPSTREAMS["workers_ai"], TOKENIZER, first_byte_seconds, time.monotonic)
    finally:
        await client.close()


@asynccontextmanager
async def simulated(**limits: float) -> AsyncIterator[tuple[Simulator, Attempting]]:
    async with running(SimulatorOptions(seed=1)) as upstream:
        settings = UpstreamSettings(upstream.base_url, upstream.account_id, upstream.api_token)
        async with attempting(settings, **limits) as made:
            yield upstream, made


def booked(job: Job) -> list[tuple[str, str]]:
    return [(attempt.end, attempt.usage_source) for attempt in job.tally.attempts]


@on_loop
async def test_complete_books_each_choice_as_reported() -> None:
    async with simulated() as (upstream, attempts):
        job = make_job(make_call("Count to 3", n=2))
        found = await attempts.complete(job, 256)
        assert not isinstance(found, Failure)
        assert len(found) == 2
        assert booked(job) == [("stop", "reported")] * 2
        assert job.tally.usage().prompt_tokens == sum(call.prompt_tokens for call in upstream.record.calls)
        assert job.upstream_seconds > 0


@on_loop
async def test_complete_one_choice_failing_is_the_failure_and_the_others_are_booked() -> None:
    async with simulated() as (upstream, attempts):
        upstream.set_scenario("rules: [{match: {nth: 1}, set: {error: 3040}}]")
        job = make_job(make_call("Count to 3", n=3))
        found = await attempts.complete(job, 256)
        assert isinstance(found, Failure)
        assert found.kind == "capacity"
        assert sorted(booked(job)) == [("capacity", "reported"), ("stop", "reported"), ("stop", "reported")]


@on_loop
async def test_complete_cut_at_a_stop_string_is_booked_in_full() -> None:
    async with simulated() as (upstream, attempts):
        job = make_job(make_call('x [[sim: text="one two three"]]', stop=("two",)))
        found = await attempts.complete(job, 256)
        assert not isinstance(found, Failure)
        assert (found[0].text, found[0].finish_reason) == ("one ", "stop")
        assert job.tally.usage().completion_tokens == upstream.record.calls[0].completion_tokens


@pytest.mark.parametrize("stream", [False, True])
@on_loop
async def test_attempt_answer_that_breaks_its_promise_is_unmet_and_booked(stream: bool) -> None:
    async with simulated() as (_, attempts):
        wanted = ResponseFormat("json_schema", "s", {"type": "object", "required": ["a"]})
        call = make_call('x [[sim: text="{}"]]', response_format=wanted, stream=stream)
        job = make_job(call, {"json_mode": "prompt"})
        found = await (attempts.open(job, 256) if stream else attempts.complete(job, 256))
        assert isinstance(found, Failure)
        assert found.kind == "unmet"
        assert booked(job)[0] == ("stop", "reported")
        assert job.tally.cost_nano > 0


@on_loop
async def test_open_choices_have_their_first_events_and_indices() -> None:
    async with simulated() as (upstream, attempts):
        job = make_job(make_call("Count to 30 [[sim: gate_after=3 gate=door]]", n=2, stream=True))
        found = await attempts.open(job, 256)
        assert not isinstance(found, Failure)
        assert [choice.index for choice in found] == [0, 1]
        assert all(isinstance(choice.events[0], Delta) for choice in found)
        assert job.choices == found
        await attempts.abandon(job, "client_gone")
        assert job.choices == []
        assert booked(job) == [("client_gone", "counted")] * 2
        await until(lambda: not upstream.record.running)


@on_loop
async def test_open_one_choice_failing_closes_the_others_and_books_them() -> None:
    async with simulated() as (upstream, attempts):
        upstream.set_scenario(
            "rules: [{match: {nth: 1}, set: {gate_after: 3, gate: door}}, {match: {nth: 2}, set: {error: 3040}}]"
        )
        job = make_job(make_call("Count to 30", n=2, stream=True))
        found = await attempts.open(job, 256)
        assert isinstance(found, Failure)
        assert job.choices == []
        assert sorted(booked(job)) == [("capacity", "reported"), ("cut", "counted")]
        await until(lambda: not upstream.record.running)


@on_loop
async def test_open_silent_stream_is_a_first_byte_timeout_and_closed() -> None:
    async with simulated(first_byte_seconds=0.2) as (upstream, attempts):
        job = make_job(make_call("hi [[sim: stall_after=0]]", stream=True))
        found = await attempts.open(job, 256)
        assert isinstance(found, Failure)
        assert found.kind == "first_byte_timeout"
        assert job.choices == []
        await until(lambda: not upstream.record.running)


@on_loop
async def test_open_hollow_stream_is_booked_and_a_failure_of_its_own() -> None:
    async with simulated() as (upstream, attempts):
        call = make_call("Count to 3 [[sim: variant=F tool_call=none]]", stream=True, tools=(Tool("f", "", {}),))
        job = make_job(call)
        found = await attempts.open(job, 256)
        assert isinstance(found, Failure)
        assert found.kind == "hollow"
        assert booked(job) == [("stop", "reported")]
        assert job.choices == []
        job.is_whole = True
        whole = await attempts.open(job, 256)
        assert not isinstance(whole, Failure)
        assert whole[0].is_booked
        assert whole[0].events[-1] == Finish("stop")
        assert booked(job) == [("stop", "reported")] * 2
        assert [call.stream for call in upstream.record.calls] == [True, False]


@on_loop
async def test_open_structured_output_is_asked_whole_and_replayed() -> None:
    async with simulated() as (upstream, attempts):
        wanted = ResponseFormat("json_schema", "s", {"type": "object", "properties": {}})
        call = make_call('x [[sim: text="{}"]]', response_format=wanted, stream=True)
        job = make_job(call, {"json_mode": "prompt"})
        found = await attempts.open(job, 256)
        assert not isinstance(found, Failure)
        assert isinstance(found[0].events[-1], Finish)
        assert found[0].is_booked
        assert not any(call.stream for call in upstream.record.calls)
        await attempts.abandon(job, "stop")
        assert len(booked(job)) == len(upstream.record.calls)


@pytest.mark.parametrize(("stream", "expected"), [(True, 0), (False, 256)])  # 256: nothing learned yet
@on_loop
async def test_attempt_cancelled_while_the_upstream_thinks_books_an_expectation(stream: bool, expected: int) -> None:
    async with simulated() as (upstream, attempts):
        job = make_job(make_call("hi [[sim: gate=door]]", stream=stream))
        perform: Any = attempts.open if stream else attempts.complete  # either gives a coroutine
        work = asyncio.create_task(perform(job, 4096))
        await until(lambda: upstream.state.gates.waiting)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert booked(job) == [("client_gone", "estimated")]
        assert job.tally.usage().completion_tokens == expected


async def _closing(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\nhalf")
    exchange.close()


@on_loop
async def test_open_error_cut_on_its_way_is_cut_and_costs_nothing() -> None:
    server: RawServer
    async with raw_server(_closing) as server, attempting(upstream_settings(server.url)) as attempts:
        job = make_job(make_call(stream=True))
        found = await attempts.open(job, 256)
        assert isinstance(found, Failure)
        assert found.kind == "cut"
        assert job.tally.cost_nano == 0


@on_loop
async def test_book_stream_books_once() -> None:
    async with simulated() as (_, attempts):
        job = make_job(make_call("hello", stream=True))
        found = await attempts.open(job, 256)
        assert not isinstance(found, Failure)
        while not found[0].is_ended:
            await found[0].next()
        attempts.book_stream(job, found[0], "stop")
        attempts.book_stream(job, found[0], "stop")
        await attempts.abandon(job, "cut")
        assert booked(job) == [("stop", "reported")]


@on_loop
async def test_request_parameters_changed_by_the_upstream_dialect_are_noted() -> None:
    async with simulated() as (_, attempts):
        call = make_call("hello", sampling=Sampling(temperature=0.1))
        job = make_job(call, {"ranges": {"temperature": Range(0.5, 1)}}, ignored=("store",))
        assert not isinstance(await attempts.complete(job, 256), Failure)
        assert job.ignored == ("store", "temperature")
