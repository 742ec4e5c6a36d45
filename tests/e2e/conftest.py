"""One simulator and one gateway for the end-to-end tests that only look; those that break things start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway import GatewayProcess, gateway, simulator

from gateway.simulator import Simulator


@pytest.fixture(scope="session")
def upstream() -> Iterator[Simulator]:
    with simulator() as started:
        yield started


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory, upstream: Simulator) -> Iterator[GatewayProcess]:
    folder: Path = tmp_path_factory.mktemp("product")
    with gateway(folder, upstream, extra="aliases: {gpt-4o-mini: auto}") as started:
        yield started
