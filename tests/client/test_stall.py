"""The watch over a stream's reads."""

import asyncio

import pytest
from support.upstreams import on_loop, within

from gateway.client.stall import StallWatch


async def read_watched(watch: StallWatch, source: "asyncio.Future[None]") -> str:
    """One read as the adapters do it."""
    watch.begin(asyncio.current_task())
    try:
        await source
    except asyncio.CancelledError:
        if not watch.caused():
            raise
        return "stalled"
    finally:
        watch.end()
    return "read"


@on_loop
async def test_stall_watch_over_a_read_that_waits_too_long_ends_it_and_leaves_the_task_uncancelled() -> None:
    watch = StallWatch(0.02)
    assert await within(read_watched(watch, asyncio.get_running_loop().create_future())) == "stalled"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@on_loop
async def test_stall_watch_between_reads_does_not_fire() -> None:
    watch = StallWatch(0.01)
    fired = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.05, fired.set_result, None)
    await fired  # five times the limit, no read under way
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    assert await read_watched(watch, done) == "read"
    assert await within(read_watched(watch, asyncio.get_running_loop().create_future())) == "stalled"


@on_loop
async def test_stall_watch_over_a_task_cancelled_by_others_lets_the_cancellation_pass() -> None:
    watch = StallWatch(60)
    task = asyncio.create_task(read_watched(watch, asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    watch.stop()
    watch.stop()
