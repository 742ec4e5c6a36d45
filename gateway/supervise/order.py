"""What a child process of the gateway is told, and how. Secrets travel through a socket: not in arguments, not in the
environment, where other users of the machine could read them.
"""

import os
import pickle
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import gateway
from gateway.config.settings import Settings
from gateway.worker import WorkerSettings

READY = b"R"
"""From a worker: it serves."""

BEAT = b"."
"""From a worker, every few seconds: its event loop turns."""

ACCEPTED, DECLINED = b"A", b"D"
"""From a worker: it could work with the settings offered, or not (its log says why). One for each `Offer`, in order."""

_LENGTH = struct.Struct("!I")


@dataclass(slots=True, frozen=True)
class WorkerOrder:
    """`app` is `module:function`; the function takes the WorkerSettings and returns the ASGI app."""

    worker: WorkerSettings
    app: str
    drain_seconds: float


@dataclass(slots=True, frozen=True)
class Offer:
    """New settings to prepare for. Answered; nothing changes yet."""

    settings: Settings
    drain_seconds: float


@dataclass(slots=True, frozen=True)
class Decision:
    """What becomes of the last offer: from the next request on it is in force, or it is forgotten."""

    is_adopted: bool


@dataclass(slots=True, frozen=True)
class Notice:
    """A sentence for the readiness page; empty takes the last one away."""

    text: str


@dataclass(slots=True, frozen=True)
class Farewell:
    """The worker is about to leave: its readiness page says so and its answers close their connections.

    `is_relieved`: others serve already; it takes no new connections, sees its clients off and ends by itself.
    """

    is_relieved: bool


Message = Offer | Decision | Notice | Farewell


def pack_message(message: Message) -> bytes:
    """A message to a running worker, as bytes for its control socket."""
    packed = pickle.dumps(message)
    return _LENGTH.pack(len(packed)) + packed


class Inbox:
    """Puts messages together from whatever pieces the socket gives."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, piece: bytes) -> list[Message]:
        """The messages complete with this piece."""
        self._bytes += piece
        found: list[Message] = []
        while len(self._bytes) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._bytes)[0]
            if len(self._bytes) < end:
                break
            found.append(pickle.loads(self._bytes[_LENGTH.size : end]))  # noqa: S301 – from our own parent
            del self._bytes[:end]
        return found


def send_order(control: socket.socket, order: WorkerOrder) -> None:
    """Write one order. Called by the parent once per worker."""
    packed = pickle.dumps(order)
    control.sendall(_LENGTH.pack(len(packed)) + packed)


def receive_order(control: socket.socket) -> WorkerOrder:
    """Read the order. Raises EOFError where the parent is gone."""
    (length,) = _LENGTH.unpack(_receive(control, _LENGTH.size))
    order = pickle.loads(_receive(control, length))  # noqa: S301 – from our own parent, over a private socket
    if not isinstance(order, WorkerOrder):
        raise TypeError("the parent speaks another version of this program")
    return order


def _receive(control: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = control.recv(size - len(parts))
        if not part:
            raise EOFError("the parent process is gone")
        parts += part
    return bytes(parts)


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules with this interpreter, whatever lies in the working directory."""
    return [sys.executable, "-P", "-m", module, *arguments]


def python_environment(**added: str) -> dict[str, str]:
    """The environment for `python_command`: this copy of the package is the one found."""
    root = str(Path(gateway.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join([root, *(part for part in inherited.split(os.pathsep) if part)])
    return {**os.environ, "PYTHONPATH": path, **added}
