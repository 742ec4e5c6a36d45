"""The last reconciliation: what is kept, and what is told of it."""

import asyncio

from support.ledgers import NOW_MS, make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.ledger.entries import Settle
from gateway.ledger.reconciliation import Reconciliation, read_reconciliation, reconcile, watch_reconciliation

DAY = NOW_MS // 86_400_000 * 86_400


def test_reconcile_holds_a_days_roll_up_against_the_providers_figure(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            assert await read_reconciliation(world.store, world.layout) is None
            receipt = make_receipt(make_request(world.identity, "r1"), NOW_MS)
            assert await world.settle(1, Settle(receipt)) == ["OK", 1]
            found = await reconcile(world.store, world.layout, DAY, 14_000_000)
            assert found == Reconciliation(DAY, receipt.neurons_nano or 0, 14_000_000)
            assert found.captured == 0.5
            heard: asyncio.Queue[Reconciliation] = asyncio.Queue()
            watching = asyncio.create_task(watch_reconciliation(world.store, world.layout, heard.put_nowait))
            assert await asyncio.wait_for(heard.get(), 10) == found
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(play())


def test_captured_of_nothing_is_unknown() -> None:
    assert Reconciliation(DAY, 5, 0).captured is None
