"""The parent's signals. While it starts, a request to end raises `Interrupted`; afterwards signals are read from a
pipe, so that a wait ends at once and nothing is ever interrupted half-way.
"""

import contextlib
import os
import signal
from types import FrameType

ENDING = frozenset({signal.SIGINT, signal.SIGTERM})
RESTARTING = signal.SIGUSR2
_WATCHED = (*sorted(ENDING), signal.SIGHUP, signal.SIGCHLD, RESTARTING)


class Interrupted(BaseException):
    """Told to end while starting. Not an Exception: nothing but the command line may catch it."""


class Signals:
    """Owns the process's handlers between `install` and `restore`. Main thread only."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._is_starting = True
        self._previous_wakeup = -1
        self._previous: dict[signal.Signals, object] = {}

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._reader

    def install(self) -> None:
        self._previous_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in _WATCHED:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started with nohup
            self._previous[number] = signal.signal(number, self._handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)  # they may have waited while the program was replaced

    def start_is_over(self) -> None:
        """From here on signals only wait in the pipe."""
        self._is_starting = False

    def take(self) -> list[int]:
        """The signals that have come since the last call."""
        with contextlib.suppress(BlockingIOError):
            return list(os.read(self._reader, 1024))
        return []

    def restore(self) -> None:
        """Give the handlers back. May be called twice."""
        if not self._previous:
            return
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned
        self._previous.clear()
        signal.set_wakeup_fd(self._previous_wakeup)
        os.close(self._reader)
        os.close(self._writer)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._is_starting and number in ENDING:
            self._is_starting = False
            raise Interrupted
