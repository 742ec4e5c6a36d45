"""Where the settings come from, read again while the gateway runs, and whether the files have changed meanwhile.

A change is seen by identity, size and time of what a path leads to, links followed: writing in place, an atomic rename
and the swap of a symbolic link all show. Files are looked at, never held open.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.config.settings import Settings

_LOOK_SECONDS = 0.5  # between two looks; a file that differs between them is still being written

Signature = tuple[tuple[int, int, int, int] | None, ...]


@dataclass(slots=True, frozen=True)
class Reading:
    """One reading: the settings, and every file they came from, secrets' files included."""

    settings: Settings
    files: tuple[Path, ...]


Source = Callable[[], Reading]
"""Reads the configuration. Raises ConfigErrors, CannotStart or OSError."""


class Watch:
    """Looks at files now and then. `clock` is monotonic seconds."""

    def __init__(self, files: Sequence[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.follow(files)

    def follow(self, files: Sequence[Path]) -> None:
        """From now on these, as they are now."""
        self.files = tuple(files)
        self.note()
        self._looked = self._clock()

    def note(self) -> None:
        """What the files say now is about to be read: only later changes count."""
        self._seen = self._moving = self._look()

    def has_settled_anew(self) -> bool:
        """Whether something has changed since `follow` or the last yes, and stayed so between two looks."""
        if self._clock() - self._looked < _LOOK_SECONDS:
            return False
        self._looked = self._clock()
        now = self._look()
        was_moving, self._moving = now != self._moving, now
        if now == self._seen or was_moving or None in now:
            return False  # a file that is not there is about to come back: links are swapped in two steps
        self._seen = now
        return True

    def _look(self) -> Signature:
        return tuple(map(_signature, self.files))


def _signature(file: Path) -> tuple[int, int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
