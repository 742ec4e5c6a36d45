"""A parent replaces its own program: what it owns goes through `exec` to the same process running the new one.

The process keeps its id, its lock, its listening socket, its children and its simulator; the description travels in an
unnamed file whose number is in the environment. Nothing is started or ended here.
"""

import contextlib
import os
import pickle
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

VARIABLE = "GATEWAY_HANDOVER"
"""Environment variable with the number of the open file; set by a gateway that restarts itself, for itself."""


@dataclass(slots=True, frozen=True)
class LeftWorker:
    """A worker of the program before: a child of this process. `control` is a file number."""

    slot: int
    pid: int
    control: int


@dataclass(slots=True, frozen=True)
class LeftSimulator:
    """The demo's simulator. It lives as long as `stdin` (a file number) is open."""

    pid: int
    stdin: int
    base_url: str
    account_id: str
    api_token: str = field(repr=False)


@dataclass(slots=True, frozen=True)
class Handover:
    """Everything that outlives the program. `lock` and `listener` are file numbers; `address` is host and port as
    they were asked for; `restarts` counts them.
    """

    lock: int
    listener: int
    address: tuple[str, int]
    workers: tuple[LeftWorker, ...]
    simulator: LeftSimulator | None
    restarts: int

    def files(self) -> list[int]:
        """Every file number in it."""
        simulator = [self.simulator.stdin] if self.simulator is not None else []
        return [self.lock, self.listener, *(worker.control for worker in self.workers), *simulator]


def receive(environ: Mapping[str, str]) -> Handover | None:
    """What the program before left for this one; None at an ordinary start."""
    number = environ.get(VARIABLE, "")
    if not number:
        return None
    with os.fdopen(int(number), "rb") as told:
        found = pickle.load(told)  # noqa: S301 – from ourselves, through a file nobody else can open
    if not isinstance(found, Handover):
        raise TypeError("the program before speaks another version")
    for file in found.files():
        os.set_inheritable(file, False)
    return found


def replace_program(command: Sequence[str], environ: Mapping[str, str], handover: Handover) -> None:
    """Become `command`. Returns only by raising OSError, and then nothing has changed.

    Signals that come meanwhile wait until the new program has its handlers.
    """
    with tempfile.TemporaryFile() as told, _inherited([*handover.files(), told.fileno()]):
        told.write(pickle.dumps(handover))
        told.flush()
        told.seek(0)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, DELAYED)
        try:
            os.execve(command[0], list(command), {**environ, VARIABLE: str(told.fileno())})  # noqa: S606 – our own command
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


DELAYED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2})
"""Signals that must not meet a program without handlers."""


@contextlib.contextmanager
def _inherited(files: Sequence[int]) -> Iterator[None]:
    for file in files:
        os.set_inheritable(file, True)
    try:
        yield
    finally:
        for file in files:
            os.set_inheritable(file, False)
