"""The workers of the program before a restart: told to leave once the new ones serve, waited for, killed when late.

They are children of this process, started by the program it ran before. None is replaced.
"""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.metrics import MetricsListener
from gateway.supervise.handover import LeftWorker
from gateway.supervise.order import Farewell, pack_message

_log = logging.getLogger("gateway.supervise")

_LATE_SECONDS = 20.0  # for a worker's own shutdown, after its drain


@dataclass(slots=True)
class _Leaving:
    left: LeftWorker
    control: socket.socket
    has_ended: bool = False

    def send(self, number: signal.Signals) -> None:
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.left.pid, number)

    def look(self) -> bool:
        """Whether it has ended, by now."""
        if not self.has_ended and os.waitpid(self.left.pid, os.WNOHANG)[0]:
            self.has_ended = True
            self.control.close()
        return self.has_ended


class Predecessors:
    """They serve until `relieve`, and are gone some time after."""

    def __init__(self, workers: Sequence[LeftWorker], metrics: MetricsListener) -> None:
        self._leaving = [_Leaving(left, socket.socket(fileno=left.control)) for left in workers]
        self._metrics = metrics
        self._deadline: float | None = None

    def left(self) -> tuple[LeftWorker, ...]:
        """Those that still live."""
        return tuple(each.left for each in self._leaving)

    def slots(self) -> set[int]:
        return {each.left.slot for each in self._leaving}

    def relieve(self, drain_seconds: float) -> None:
        """Others serve: leave when the clients have been seen off."""
        self._deadline = time.monotonic() + drain_seconds + _LATE_SECONDS
        for each in self._leaving:
            with contextlib.suppress(OSError):  # it has ended by itself
                each.control.setblocking(True)
                each.control.settimeout(2.0)
                each.control.sendall(pack_message(Farewell(is_relieved=True)))

    def tend(self) -> None:
        """Bury those that have ended; end those that are late."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            for each in self._leaving:
                _log.error("a worker of the program before (pid %d) does not leave: killed", each.left.pid)
                each.send(signal.SIGKILL)
        for each in [each for each in self._leaving if each.look()]:
            self._leaving.remove(each)
            self._metrics.forget_slot(each.left.slot)
            _log.info("worker %d of the program before has left", each.left.slot)

    def drain(self) -> None:
        """Leave now; asked again, hurry."""
        for each in self._leaving:
            each.send(signal.SIGTERM)

    def end(self, drain_seconds: float) -> None:
        """Let those that are left drain, then kill them. Their receipts are in the spool."""
        self.drain()
        deadline = time.monotonic() + drain_seconds
        while self._leaving:
            if time.monotonic() > deadline:
                for each in self._leaving:
                    each.send(signal.SIGKILL)
            time.sleep(0.02)
            self.tend()
