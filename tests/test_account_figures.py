"""The account's figures reach the gauges of a worker."""

import asyncio

import pytest
from prometheus_client import generate_latest
from support.ledgers import make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore, throw_away_store
from support.worker import until

from gateway.account_figures import AccountFigures
from gateway.core.neurons import NeuronPrice
from gateway.ledger.entries import Settle
from gateway.ledger.reconciliation import reconcile
from gateway.metrics import Metrics


async def tell(server: ThrowAwayStore, metrics: Metrics) -> None:
    async with open_world(server.url) as world:
        now = int((await world.store.command("TIME"))[0])
        receipt = make_receipt(make_request(world.identity, "r1"), now * 1000)
        await world.settle(1, Settle(receipt))
        await reconcile(world.store, world.layout, now - now % 86_400, 14_000_000)
        figures = AccountFigures(world.store, world.layout, metrics, NeuronPrice(), warns=False)
        running = asyncio.create_task(figures.run())
        await until(lambda: 'gateway_reconciled_neurons{side="provider"} 0.014' in told(metrics))
        await until(lambda: "gateway_neurons_today 0.007" in told(metrics))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def told(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


@pytest.mark.usefixtures("one_day")
def test_figures_of_the_store_are_shown() -> None:
    metrics = Metrics()
    with throw_away_store() as server:
        asyncio.run(tell(server, metrics))
    assert "gateway_neurons_free_per_day 10000.0" in told(metrics)
