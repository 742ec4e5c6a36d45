"""What the fault matrix breaks: gateways over one store, all real processes, and the simulator that knows the truth."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.gateway import GatewayProcess, kill_all, simulator
from support.valkey import ThrowAwayStore

from faults.load import Load
from gateway.simulator import Simulator, SimulatorOptions

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
WORKERS = 2


class MovableClock:
    """The store's clock, moved by libfaketime while the server runs. Monotonic time goes on as it is.

    Debian's redis-server cannot be run so (its jemalloc asks for the time too early); the wheel's Valkey can.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.jump(0)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(FAKETIME[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """So many seconds away from the true time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._file)


@dataclass(slots=True)
class Rig:
    """One store, some gateways, a simulator, and the load on them."""

    folder: Path
    upstream: Simulator
    store: ThrowAwayStore
    gateways: list[GatewayProcess]
    load: Load
    clock: MovableClock | None

    def workers(self, product: GatewayProcess) -> list[int]:
        """Worker processes that serve; none while the gateway is down."""
        return product.workers() if product.process is not None else []

    def kill_gateway(self, product: GatewayProcess) -> None:
        """SIGKILL for the parent and its workers."""
        kill_all(product.pids())
        assert product.process is not None
        product.process.wait()
        product.process = None

    def start_all(self) -> None:
        for product in self.gateways:
            if product.process is None:
                product.start()


@contextmanager
def rig(gateways: int, *, moves_clock: bool = False) -> Iterator[Rig]:
    """A rig that runs, and is gone at the end. The load begins with its block."""
    folder = Path(tempfile.mkdtemp(prefix="gwf", dir="/tmp"))
    (folder / "store").mkdir()
    store = ThrowAwayStore(folder / "store")
    clock = MovableClock(folder) if moves_clock else None
    store.environ = clock.environment() if clock else {}
    store.start()
    products: list[GatewayProcess] = []
    try:
        with simulator(SimulatorOptions(port=0, seed=1, record_limit=200_000)) as upstream:
            for number in range(gateways):
                (folder / str(number)).mkdir()
                product = GatewayProcess(folder / str(number), upstream, store.url, server=f"workers: {WORKERS}")
                product.key = products[0].key if products else ""
                product.start()
                products.append(product)
            yield Rig(folder, upstream, store, products, Load(products), clock)
            for product in products:
                product.stop()
    finally:
        for product in products:
            if product.process is not None:
                kill_all(product.pids())
        with suppress(AssertionError, ProcessLookupError):
            store.thaw()
            store.kill()
        shutil.rmtree(folder, ignore_errors=True)


def kill(pid: int) -> bool:
    """SIGKILL; whether it was there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def pause(seconds: float) -> None:
    """Let the load run: a fault comes at a moment nobody has chosen."""
    time.sleep(seconds)
