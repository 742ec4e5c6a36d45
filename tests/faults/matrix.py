"""The faults themselves: each breaks something at moments nobody has chosen while clients ask, and heals it again."""

import random
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from faults.load import PACE, Demand
from faults.rig import Rig, kill, pause
from gateway.ledger.frames import HEAD_BYTES, decode_frames

EVENTS: Final = 16  # of a streamed answer, a few more than it has

Fault = Callable[[Rig, int], None]
"""Breaks the rig so many times while its load runs."""


def kill_workers(rig: Rig, times: int) -> None:
    """SIGKILL for one worker of any gateway, while some serve: between two kills something is answered."""
    killed = 0
    while killed < times:
        rig.load.more_answers(1)
        pause(random.uniform(0, 0.2))
        workers = rig.workers(random.choice(rig.gateways))
        killed += bool(workers) and kill(random.choice(workers))
    rig.load.more_answers(10)


def kill_everything(rig: Rig, times: int) -> None:
    """SIGKILL for every gateway and the store at once."""
    for _ in range(times):
        rig.load.more_answers(20)
        pause(random.uniform(0, 0.3))
        for product in rig.gateways:
            rig.kill_gateway(product)
        rig.store.kill()
        rig.store.start()
        rig.start_all()
    rig.load.more_answers(10)


def kill_store(rig: Rig, times: int) -> None:
    """SIGKILL for the store; it comes back with its log."""
    for _ in range(times):
        rig.load.more_answers(20)
        pause(random.uniform(0, 0.3))
        rig.store.kill()
        pause(random.uniform(0, 1.0))
        rig.store.start()
    rig.load.more_answers(10)


def restore_store(rig: Rig, times: int) -> None:
    """The store comes back with a log as it was some seconds ago."""
    log, copy = rig.store.folder / "appendonlydir", rig.folder / "older"
    for _ in range(times):
        rig.load.more_answers(20)
        shutil.copytree(log, copy)
        rig.load.more_answers(40)
        rig.store.kill()
        shutil.rmtree(log)
        copy.rename(log)
        rig.store.start()
    rig.load.more_answers(10)


def fill_disk(rig: Rig, times: int) -> None:
    """No room for a spool: workers that start then have none until there is room again."""
    for _ in range(times):
        rig.load.more_answers(20)
        for disk, product in zip(rig.disks, rig.gateways, strict=True):
            disk.fill()
            for pid in rig.workers(product):
                kill(pid)
        rig.load.more_answers(5, status=503)
        for disk in rig.disks:
            disk.free()
    rig.load.more_answers(10)


def cut_spools(rig: Rig, times: int) -> None:
    """A gateway dies while the store is away, and what it wrote for it is cut at a random byte."""
    for _ in range(times):
        rig.load.more_answers(20)
        product = random.choice(rig.gateways)
        rig.store.freeze()
        pause(random.uniform(0.1, 0.6))
        rig.kill_gateway(product)
        for spool in (product.data / "spool").iterdir():
            _cut(spool)
        rig.store.thaw()
        product.start()
    rig.load.more_answers(10)


def _cut(spool: Path) -> None:
    """Somewhere behind what the store has confirmed."""
    confirmed = int((spool / "confirmed").read_bytes() or 0) if (spool / "confirmed").exists() else 0
    for segment in sorted(spool.glob("*.seg"))[-1:]:
        safe = end = 0
        for number, payload in decode_frames(segment.read_bytes()):
            end += HEAD_BYTES + len(payload)
            safe = end if number <= confirmed else safe
        with segment.open("r+b") as file:
            file.truncate(random.randint(safe, end))


def jump_clock(rig: Rig, times: int) -> None:
    """The store's clock goes back and forth by up to an hour."""
    assert rig.clock is not None
    for number in range(times):
        rig.load.more_answers(20)
        rig.clock.jump((3600, 0, 45, -600, 0, 10)[number % 6])
        pause(random.uniform(0.1, 1.0))
    rig.clock.jump(0)
    rig.load.more_answers(10)


def cut_upstream(rig: Rig, times: int) -> None:
    """The upstream breaks off after every number of events, and whole answers after every so many bytes."""
    for _ in range(times):
        for index in range(EVENTS):
            product = rig.gateways[index % len(rig.gateways)]
            rig.load.one(product, Demand(is_stream=True, switches=f"cut_after={index}"))
            rig.load.one(product, Demand(is_stream=True, switches=f"reset_after={index}"))
            rig.load.one(product, Demand(is_stream=False, switches=f"cut_bytes={index * 40}"))


def leave(rig: Rig, times: int) -> None:
    """The client hangs up after every number of events, and before whole answers come."""
    for _ in range(times):
        for index in range(EVENTS):
            product = rig.gateways[index % len(rig.gateways)]
            pace = f"pace={3 * PACE}"
            rig.load.one(product, Demand(is_stream=True, switches=pace, leave_after_events=index))
            waiting = Demand(is_stream=False, switches="delay=0.3", leave_after_seconds=0.02 * (index + 1))
            rig.load.one(product, waiting)


def restart_gateways(rig: Rig, times: int) -> None:
    """Every gateway restarts gracefully; nobody notices."""
    for _ in range(times):
        for product in rig.gateways:
            rig.load.more_answers(10)
            before = rig.workers(product)
            assert product.process is not None
            product.process.send_signal(signal.SIGUSR2)
            rig.load.wait_for(lambda before=set(before), product=product: not before & set(product.workers()))  # type: ignore[misc]  # bound now
    rig.load.more_answers(10)


FAULTS: Final[Mapping[str, tuple[Fault, int, int]]] = MappingProxyType(
    {
        "a worker killed": (kill_workers, 200, 6),
        "everything killed": (kill_everything, 8, 1),
        "the store killed, back from its log": (kill_store, 20, 2),
        "the store back from an older log": (restore_store, 6, 1),
        "disk full": (fill_disk, 5, 1),
        "spool cut at a random byte": (cut_spools, 12, 2),
        "the store's clock jumps": (jump_clock, 24, 3),
        "upstream cut at every event": (cut_upstream, 3, 1),
        "client gone at every event": (leave, 3, 1),
        "graceful restart": (restart_gateways, 6, 1),
    }
)
"""By name: the fault, how many times in full, how many in the suite."""
