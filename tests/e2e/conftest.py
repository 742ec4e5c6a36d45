"""One simulator and one gateway for the end-to-end tests that only look; those that break things start their own.

Of a module's own: a store, an upstream that bills exactly what it is asked for, and three gateways on both.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.gateway import GatewayProcess, gateway, simulator
from support.valkey import ThrowAwayStore, throw_away_store

from gateway.simulator import Simulator, SimulatorOptions


@pytest.fixture(scope="session")
def upstream() -> Iterator[Simulator]:
    with simulator() as started:
        yield started


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory, upstream: Simulator) -> Iterator[GatewayProcess]:
    folder: Path = tmp_path_factory.mktemp("product")
    with gateway(folder, upstream, extra="aliases: {gpt-4o-mini: auto}") as started:
        yield started


@pytest.fixture(scope="module")
def store() -> Iterator[ThrowAwayStore]:
    with throw_away_store() as started:
        yield started


@pytest.fixture(scope="module")
def exact() -> Iterator[Simulator]:
    """Without secret offsets: what an upstream bills beyond our clamp is no overspending of ours."""
    with simulator(SimulatorOptions(secret_offset=False)) as started:
        yield started


@pytest.fixture(scope="module")
def replicas(
    store: ThrowAwayStore, exact: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[GatewayProcess]]:
    with ExitStack() as stack:
        yield [stack.enter_context(gateway(tmp_path_factory.mktemp("replica"), exact, store.url)) for _ in range(3)]
