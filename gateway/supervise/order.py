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
from gateway.worker import WorkerSettings

READY = b"R"
"""From a worker: it serves."""

BEAT = b"."
"""From a worker, every few seconds: its event loop turns."""

_LENGTH = struct.Struct("!I")


@dataclass(slots=True, frozen=True)
class WorkerOrder:
    """`app` is `module:function`; the function takes the WorkerSettings and returns the ASGI app."""

    worker: WorkerSettings
    app: str
    drain_seconds: float


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
