"""Starts the processes a measurement needs, reads what they cost from /proc, and ends them by their ids."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STORES = frozenset({"redis-server", "valkey-server"})
PATIENCE_SECONDS = 20.0


@dataclass(slots=True, frozen=True)
class Cost:
    """What a process tree has used so far: `cpu` in seconds of user and system time, memory in bytes."""

    cpu: float
    rss_bytes: int
    largest_bytes: int  # of one process: a worker


@contextlib.contextmanager
def running(command: Sequence[str], *, log: Path, environ: dict[str, str] | None = None) -> Iterator[int]:
    """The process of `command`, in its own session, by id; ended with everything it started."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        )
    try:
        yield process.pid
    finally:
        tree = [process.pid, *descendants(process.pid)]
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in tree:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(PATIENCE_SECONDS)


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, pid: int, log: Path) -> None:
    """Return when somebody accepts on `port`. Raises RuntimeError with the log's end where the process gave up."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        if not is_alive(pid):
            break
        time.sleep(0.01)
    raise RuntimeError(f"nothing listens on port {port}:\n{log.read_text(errors='replace')[-2000:]}")


def is_alive(pid: int) -> bool:
    """Whether the process runs (one that has ended and was not waited for does not)."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, children before grandchildren."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for parent in level for child in parents.get(parent, ())]
        found += level
    return found


def cost_of(pid: int) -> Cost:
    """Of a process and everything below it, a store excepted. Forked workers share pages: RSS counts them twice."""
    cpu, sizes = 0.0, [0]
    for each in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{each}/comm").read_text().strip() in _STORES:
                continue
            fields = _stat(each)
            cpu += (int(fields[11]) + int(fields[12])) / _TICKS
            sizes.append(int(fields[21]) * _PAGE_BYTES)
    return Cost(cpu, sum(sizes), max(sizes))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may contain blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
