"""Today's neurons, out of a real roll-up."""

import asyncio
import logging
import time

import pytest
from support.ledgers import World, make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.core.forecast import Forecast
from gateway.ledger.burn import Burn, read_burn, watch_burn
from gateway.ledger.entries import Settle

DAY = 86_400

pytestmark = pytest.mark.usefixtures("one_day")


async def settle_at(world: World, number: int, moment: int) -> int:
    receipt = make_receipt(make_request(world.identity, f"r{number}"), moment * 1000)
    assert await world.settle(number, Settle(receipt)) == ["OK", number]
    return receipt.neurons_nano or 0


def test_read_burn_counts_the_hours_of_today_only(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            today = int(time.time()) // DAY * DAY
            await settle_at(world, 1, today - 1)
            first = await settle_at(world, 2, today)
            first += await settle_at(world, 3, today + 3599)
            burn = await read_burn(world.store, world.layout)
            assert burn.neurons_nano == first
            assert burn.by_hour[0] == first
            assert len(burn.by_hour) == burn.now % DAY // 3600 + 1

    asyncio.run(play())


def test_watch_burn_reports_until_it_is_cancelled(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            heard: asyncio.Queue[tuple[Burn, Forecast]] = asyncio.Queue()

            def report(*told: *tuple[Burn, Forecast]) -> None:
                heard.put_nowait(told)

            watching = asyncio.create_task(watch_burn(world.store, world.layout, 10_000, report))
            burn, ahead = await asyncio.wait_for(heard.get(), 10)
            assert (burn.neurons_nano, ahead) == (0, Forecast(0, None))
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(play())


def test_watch_burn_outlives_a_roll_up_that_cannot_be_read(
    server: ThrowAwayStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            today = int(time.time()) // DAY * DAY
            await world.store.command("HSET", world.layout.shared("use", "p", today), f"{today}|proj_1|m", "1 2 x")
            watching = asyncio.create_task(watch_burn(world.store, world.layout, 10_000, lambda *_: None))
            while not caplog.records and not watching.done():  # noqa: ASYNC110  # the log has no event
                await asyncio.sleep(0.01)
            assert not watching.done()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(play())
    assert "cannot be counted" in caplog.text


def test_watch_burn_warns_once_a_day_that_the_free_neurons_do_not_last(
    server: ThrowAwayStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            await settle_at(world, 1, int(time.time()))
            heard = asyncio.Event()

            def report(*_: object) -> None:
                heard.set()

            watching = asyncio.create_task(watch_burn(world.store, world.layout, 0, report, warns=True))
            await asyncio.wait_for(heard.wait(), 10)
            await asyncio.sleep(0)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        asyncio.run(play())
    (warning,) = [record.getMessage() for record in caplog.records if "free neurons" in record.getMessage()]
    assert "of 0 free neurons are used today; they last until" in warning
