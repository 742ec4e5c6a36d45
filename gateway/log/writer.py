"""Writes lines to a file descriptor from a thread: whoever has a line to write never waits for the reader of the log.

Lines that come while the reader does not read are kept up to a bound, then dropped and counted.
"""

import contextlib
import os
import threading
from collections import deque
from typing import Final

MOST_WAITING: Final = 10_000  # lines
PAUSE_SECONDS: Final = 0.05  # lines leave together: a system call per request would cost more than the line


class LineWriter:
    """One per process. `fd` is left open."""

    def __init__(self, fd: int) -> None:
        self.dropped = 0
        self._fd = fd
        self._lines: deque[bytes] = deque()
        self._is_waking = threading.Event()
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take one line, without its end."""
        if len(self._lines) >= MOST_WAITING:
            self.dropped += 1
            return
        self._lines.append(line)
        if not self._is_waking.is_set():
            self._is_waking.set()

    def close(self, seconds: float) -> None:
        """Write what waits, for at most so many seconds: nobody may be reading."""
        self._is_closing.set()
        self._is_waking.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._is_closing.is_set():
            self._is_waking.wait()
            self._is_closing.wait(PAUSE_SECONDS)
            self._is_waking.clear()
            self._flush()

    def _flush(self) -> None:
        """Everything that waits, in one piece: lines of several processes then do not mix."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        rest = memoryview(b"".join(line + b"\n" for line in lines))
        with contextlib.suppress(OSError):  # nobody reads any more: a log is not worth a request
            while rest:
                rest = rest[os.write(self._fd, rest) :]
