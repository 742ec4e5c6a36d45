"""What the fault matrix breaks: gateways over one store, all real processes, and the simulator that knows the truth."""

import os
import resource
import shutil
import signal
import subprocess
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
_FULL_DISK_BYTES = 1024 * 1024  # less than a segment of the spool, more than a log


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


class SmallDisk:
    """A file system of its own (tmpfs) for a gateway's spools: full when told so, for bytes and for new files."""

    KIND = "tmpfs"

    def __init__(self, product: GatewayProcess) -> None:
        self._folder = product.data / "spool"
        self._folder.mkdir(parents=True)
        _mount(self._folder, "size=1g,nr_inodes=10k")

    def fill(self) -> None:
        """Nothing more fits than what is there."""
        found = os.statvfs(self._folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        _mount(self._folder, f"remount,size={max(used, found.f_frsize)},nr_inodes={found.f_files - found.f_ffree}")

    def free(self) -> None:
        _mount(self._folder, "remount,size=1g,nr_inodes=10k")

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self._folder], check=True)


class FileLimit:
    """Where nothing may be mounted: no file of a gateway may reach the size of a segment, though all of a log."""

    KIND = "file-size limit"

    def __init__(self, product: GatewayProcess) -> None:
        self._product = product

    def fill(self) -> None:
        self._limit(_FULL_DISK_BYTES)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def close(self) -> None:
        """Nothing is left."""

    def _limit(self, size: int) -> None:
        assert self._product.process is not None
        for pid in [self._product.process.pid, *self._product.workers()]:
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def _mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True)


def disk_of(product: GatewayProcess) -> SmallDisk | FileLimit:
    """A disk that can be filled; before its gateway starts."""
    try:
        return SmallDisk(product)
    except (OSError, subprocess.CalledProcessError):
        return FileLimit(product)


@dataclass(slots=True)
class Rig:
    """One store, some gateways, a simulator, and the load on them."""

    folder: Path
    upstream: Simulator
    store: ThrowAwayStore
    gateways: list[GatewayProcess]
    load: Load
    clock: MovableClock | None
    disks: list[SmallDisk | FileLimit]

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
    disks: list[SmallDisk | FileLimit] = []
    try:
        with simulator(SimulatorOptions(port=0, seed=1, record_limit=200_000)) as upstream:
            for number in range(gateways):
                (folder / str(number)).mkdir()
                product = GatewayProcess(folder / str(number), upstream, store.url, server=f"workers: {WORKERS}")
                product.key = products[0].key if products else ""
                disks.append(disk_of(product))
                product.start()
                products.append(product)
            yield Rig(folder, upstream, store, products, Load(products), clock, disks)
            for product in products:
                product.stop()
    finally:
        for product in products:
            if product.process is not None:
                kill_all(product.pids())
        with suppress(AssertionError, ProcessLookupError):
            store.thaw()
            store.kill()
        for disk in disks:
            disk.close()
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
