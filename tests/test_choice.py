"""An open choice over a real connection: what the next read brings, and how it ends."""

import asyncio
from contextlib import aclosing

import pytest
from support.jobs import make_call
from support.raw_server import Exchange
from support.upstreams import connected, on_loop, soon

from gateway.choice import OpenChoice, arrivals
from gateway.client.contract import Client
from gateway.core.answer import Delta, Failure, Finish
from gateway.core.stream import ChoiceReader
from gateway.upstreams import UPSTREAMS

PIECE = b'data: {"response": "one "}\n\n'
END = b'data: {"response": "", "usage": {"prompt_tokens": 3, "completion_tokens": 9}}\n\ndata: [DONE]\n\n'
CALL = make_call()


async def whole(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.send_chunk(PIECE)
    await exchange.send_chunk(END)
    await exchange.end_stream()


async def broken(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.send_chunk(PIECE)
    exchange.close()


async def hollow(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.send_chunk(END)
    await exchange.end_stream()


async def endless(exchange: Exchange) -> None:
    await exchange.start_stream()
    await exchange.send_chunk(PIECE)
    await exchange.peer_closed()


async def open_choice(client: Client, stop: tuple[str, ...] = ()) -> OpenChoice:
    stream = await client.open("/ai/run/m", b"{}", soon())
    assert not isinstance(stream, Failure)
    return OpenChoice(0, (), 0.0, stream, ChoiceReader(UPSTREAMS["workers_ai"].stream(CALL, 256), stop))


async def all_events(choice: OpenChoice) -> list[object]:
    events: list[object] = []
    while not choice.is_ended:
        events += await choice.next()
    return events


@on_loop
async def test_next_brings_events_up_to_the_finish() -> None:
    async with connected("httpx2", whole) as (_, client):
        choice = await open_choice(client)
        assert not choice.is_ended
        assert await all_events(choice) == [Delta("one "), Finish("stop")]
        assert choice.reader is not None
        assert choice.reader.usage is not None
        assert not choice.is_hollow
        await choice.close()


@on_loop
async def test_next_broken_connection_tells_what_was_held_back_and_the_failure() -> None:
    async with connected("httpx2", broken) as (_, client):
        choice = await open_choice(client, stop=("one two",))
        *told, failure = await all_events(choice)
        assert told == [Delta("one ")]  # it might have been the beginning of the stop string
        assert isinstance(failure, Failure)
        assert failure.kind == "cut"
        await choice.close()


@on_loop
async def test_is_hollow_tokens_billed_and_nothing_told() -> None:
    async with connected("httpx2", hollow) as (_, client):
        choice = await open_choice(client)
        await all_events(choice)
        assert choice.is_hollow
        await choice.close()


@on_loop
async def test_close_closes_the_upstream_connection() -> None:
    async with connected("httpx2", endless) as (server, client):
        choice = await open_choice(client)
        assert await choice.next() == [Delta("one ")]
        await choice.close()
        await server.idle()


@on_loop
async def test_choice_that_came_whole_has_nothing_more() -> None:
    choice = OpenChoice(0, [Delta("x"), Finish("stop")], 0.0, is_booked=True)
    assert choice.is_ended
    assert not choice.is_hollow
    await choice.close()
    with pytest.raises(AssertionError, match="came whole"):
        await choice.next()


@on_loop
async def test_arrivals_of_all_choices_each_in_order_to_the_end() -> None:
    async with connected("httpx2", whole) as (_, client):
        choices = [await open_choice(client) for _ in range(3)]
        for index, choice in enumerate(choices):
            choice.index = index
        told: dict[int, list[object]] = {0: [], 1: [], 2: []}
        async for choice, events in arrivals(choices):
            told[choice.index] += events
        assert told == {index: [Delta("one "), Finish("stop")] for index in range(3)}
        for choice in choices:
            await choice.close()


@on_loop
async def test_arrivals_of_choices_that_came_whole_are_their_events() -> None:
    choices = [OpenChoice(index, [Delta("x"), Finish("stop")], 0.0, is_booked=True) for index in range(2)]
    assert [events async for _, events in arrivals(choices)] == [[Delta("x"), Finish("stop")]] * 2


@on_loop
async def test_arrivals_closed_in_the_middle_leave_no_read_behind() -> None:
    async with connected("httpx2", endless) as (server, client):
        choices = [await open_choice(client) for _ in range(2)]
        before = asyncio.all_tasks()
        async with aclosing(arrivals(choices)) as found:
            async for _, events in found:
                if events:
                    break
        assert asyncio.all_tasks() == before
        for choice in choices:
            await choice.close()
        await server.idle()
