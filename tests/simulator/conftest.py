"""A running simulator and somebody who calls it."""

from collections.abc import AsyncIterator

import pytest
from support.simulated import Caller, calling

from gateway.simulator import SimulatorOptions


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with calling(SimulatorOptions(seed=7)) as someone:
        yield someone
