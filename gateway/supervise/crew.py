"""The workers of one gateway: started into numbered slots, watched, replaced when they die or hang, drained at the end.

It decides nothing about when the gateway ends; the parent's loop does, and calls `tend` between its waits.
"""

import contextlib
import logging
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gateway.config.settings import Settings
from gateway.metrics import DIRECTORY_VARIABLE, MetricsListener
from gateway.supervise.errors import WorkersFailed
from gateway.supervise.handover import LeftWorker
from gateway.supervise.order import (
    ACCEPTED,
    DECLINED,
    READY,
    Decision,
    Farewell,
    Message,
    Notice,
    Offer,
    WorkerOrder,
    pack_message,
    python_command,
    python_environment,
    send_order,
)

_log = logging.getLogger("gateway.supervise")

_HANG_SECONDS = 60.0  # an event loop that has not turned for so long serves nobody
_START_SECONDS = 60.0  # for a worker to get one
_LONGEST_PAUSE = 15.0  # seconds between two starts in a slot whose workers keep dying
_ANSWERS = re.compile(b"[%s%s]" % (ACCEPTED, DECLINED))
_ANSWER_SECONDS = 20.0  # for a worker to prepare for offered settings
_SEND_SECONDS = 2.0  # for a message to fit into a worker's control socket
_STEADY_SECONDS = 30.0  # a worker that lived so long starts the pauses anew


@dataclass(slots=True)
class Worker:
    """One process in one slot. Times are monotonic seconds."""

    slot: int
    process: subprocess.Popen[bytes]
    control: socket.socket
    started: float
    beaten: float
    is_ready: bool = False
    owes: int = 0  # answers to offers
    has_accepted: bool = False  # the current offer


@dataclass(slots=True)
class _Offering:
    offer: Offer
    deadline: float
    declined: str = ""  # why it cannot be adopted any more


@dataclass(slots=True)
class _Slot:
    number: int
    worker: Worker | None = None
    failures: int = 0
    start_after: float = field(default=0.0)


class Crew:
    """All workers. `order` is the same for each but for its slot."""

    def __init__(
        self,
        order: WorkerOrder,
        *,
        slots: Iterable[int],
        listener: socket.socket,
        metrics: MetricsListener,
        hang_seconds: float = _HANG_SECONDS,
    ) -> None:
        self._order = order
        self._listener = listener
        self._metrics = metrics
        self._hang_seconds = hang_seconds
        self._slots = [_Slot(number) for number in slots]
        self._has_served = False
        self._offering: _Offering | None = None

    @property
    def workers(self) -> list[Worker]:
        return [slot.worker for slot in self._slots if slot.worker is not None]

    @property
    def is_ready(self) -> bool:
        """Whether every slot serves."""
        return all(slot.worker is not None and slot.worker.is_ready for slot in self._slots)

    def controls(self) -> list[socket.socket]:
        """What to wait on for news."""
        return [worker.control for worker in self.workers]

    def start(self) -> None:
        for slot in self._slots:
            self._start(slot)

    def tend(self) -> None:
        """Read the news, kill what hangs, bury the dead, fill empty slots. Raises WorkersFailed if none ever served."""
        now = time.monotonic()
        for slot in self._slots:
            if slot.worker is not None:
                self._listen(slot.worker, now)
                self._bury_if_ended(slot, slot.worker, now)
            if slot.worker is None and now >= slot.start_after:
                self._start(slot)
        self._metrics.set_workers(sum(worker.is_ready for worker in self.workers))

    def offer(self, settings: Settings) -> None:
        """Ask every worker whether it can work with these settings; `outcome` tells what came of it."""
        offer = Offer(settings, settings.server.drain_seconds)
        self._offering = _Offering(offer, time.monotonic() + _ANSWER_SECONDS)
        for worker in self.workers:
            worker.has_accepted = False
            self._send(worker, offer)

    def outcome(self) -> str | None:
        """None while workers prepare; then, once, why the offer was refused, or "" when all have adopted it.

        A worker started meanwhile, with the settings before, is offered them after the others have adopted.
        """
        offering = self._offering
        if offering is None:
            return None
        waited_for = [worker for worker in self.workers if worker.owes]
        if waited_for and not offering.declined and time.monotonic() > offering.deadline:
            offering.declined = f"worker {waited_for[0].slot} does not answer"
        if waited_for and not offering.declined:
            return None
        self._offering = None
        if not offering.declined:
            self._order = replace(
                self._order,
                worker=replace(self._order.worker, settings=offering.offer.settings),
                drain_seconds=offering.offer.drain_seconds,
            )
        for worker in self.workers:
            if not worker.has_accepted and not offering.declined:
                self._send(worker, offering.offer)
            self._send(worker, Decision(is_adopted=not offering.declined))
            worker.has_accepted = False
        return offering.declined

    def post_notice(self, text: str) -> None:
        """Have every worker, those to come included, say this on its readiness page."""
        if text == self._order.worker.notice:
            return
        self._order = replace(self._order, worker=replace(self._order.worker, notice=text))
        for worker in self.workers:
            self._send(worker, Notice(text))

    def announce_leave(self) -> None:
        """Have every worker say that it is about to leave; it goes on taking connections."""
        for worker in self.workers:
            self._send(worker, Farewell(is_relieved=False))

    def left(self) -> tuple[LeftWorker, ...]:
        """The workers, for the program that comes after this one."""
        return tuple(LeftWorker(each.slot, each.process.pid, each.control.fileno()) for each in self.workers)

    def _send(self, worker: Worker, message: Message) -> None:
        """Whole or, where the worker does not read, to nobody: then it is replaced, by one that knows the news."""
        worker.owes += isinstance(message, Offer)
        worker.control.settimeout(_SEND_SECONDS)
        try:
            worker.control.sendall(pack_message(message))
        except OSError:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
        finally:
            worker.control.setblocking(False)

    def drain(self) -> None:
        """Ask every worker to leave; asked again, they hurry."""
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGTERM)

    def remove_ended(self) -> None:
        """While draining: forget the workers that have ended."""
        for slot in self._slots:
            if slot.worker is not None and slot.worker.process.poll() is not None:
                slot.worker.control.close()
                slot.worker = None
        self._metrics.set_workers(len(self.workers))

    def kill(self) -> None:
        """End what is left, at once. Their receipts are in the spool; the next start picks them up."""
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
            worker.process.wait()
        self.remove_ended()

    def _start(self, slot: _Slot) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                python_command("gateway.supervise.worker_process", str(theirs.fileno()), str(self._listener.fileno())),
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), self._listener.fileno()),
                env=python_environment(**{DIRECTORY_VARIABLE: str(self._metrics.directory)}),
                process_group=0,  # Ctrl-C reaches the parent only: it decides how the workers leave
            )
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died at once: `tend` will see
            send_order(ours, replace(self._order, worker=replace(self._order.worker, slot=slot.number)))
        ours.setblocking(False)
        now = time.monotonic()
        slot.worker = Worker(slot.number, process, ours, started=now, beaten=now)

    def _listen(self, worker: Worker, now: float) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            said = worker.control.recv(4096)
            if said:
                worker.beaten = now
            if READY in said:
                worker.is_ready = self._has_served = True
            for answer in _ANSWERS.findall(said):
                self._note_answer(worker, answer)
        patience = self._hang_seconds if worker.is_ready else _START_SECONDS
        if now - worker.beaten > patience and worker.process.poll() is None:
            _log.error("worker %d (pid %d) hangs: killed", worker.slot, worker.process.pid)
            worker.process.kill()
            worker.process.wait()

    def _note_answer(self, worker: Worker, answer: bytes) -> None:
        worker.owes -= 1
        if self._offering is None or worker.owes:
            return  # about an offer that was given up
        worker.has_accepted = answer == ACCEPTED
        if answer == DECLINED:
            self._offering.declined = f"worker {worker.slot} cannot work with it; its own lines above say why"

    def _bury_if_ended(self, slot: _Slot, worker: Worker, now: float) -> None:
        status = worker.process.poll()
        if status is None:
            return
        worker.control.close()
        slot.worker = None
        if not self._has_served:
            raise WorkersFailed(
                f"a worker ended with status {status} before it served anything; its own lines above say why"
            )
        slot.failures = 0 if now - worker.started > _STEADY_SECONDS else slot.failures + 1
        pause = min(_LONGEST_PAUSE, 0.25 * 2.0 ** (slot.failures - 2)) if slot.failures > 1 else 0.0
        slot.start_after = now + pause
        self._metrics.worker_replaced()
        _log.error("worker %d (pid %d) ended with status %d: replaced", slot.number, worker.process.pid, status)
