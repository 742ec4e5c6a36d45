"""The write-ahead files of one worker: what is written here is never lost, whatever process dies.

One directory per spool, locked (flock) for as long as its owner lives; entries numbered from 1 in preallocated
segment files `<first number>.seg`. Appending is one pwrite into space that exists already. A spool that a dead process
left is opened read-only by whoever gets its lock, confirmed on its behalf, and removed. It knows nothing of the store.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.core.errors import StoreAway
from gateway.ledger.frames import decode_frames, encode_frame

SEGMENT_BYTES = 8 * 1024 * 1024
RETENTION_SECONDS = 120.0  # confirmed entries kept, in case the store comes back older than it was
_ZEROS = bytes(1024 * 1024)


@dataclass(slots=True)
class _Segment:
    first: int  # number of its first entry
    path: Path
    last: int = 0  # number of its last entry, 0 while it is empty
    written_at: float = 0.0  # unix seconds of the last entry


class SpoolDirectory:
    """A locked spool directory: its segments on disk, and how far the store has confirmed them."""

    def __init__(self, path: Path, lock: int | None) -> None:
        self.path = path
        self.name = path.name
        self.confirmed = _read_confirmed(path)
        self._lock = lock
        self._confirmed_file: int | None = None
        self._segments: list[_Segment] = []

    @property
    def first(self) -> int:
        """Number of the oldest entry still here (or of the next one where there is none)."""
        return self._segments[0].first if self._segments else 1

    @property
    def last(self) -> int:
        """Number of the newest entry, 0 where there never was one."""
        found = [segment.last for segment in self._segments if segment.last]
        return found[-1] if found else self.first - 1

    def read(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Entries from `number` on, from disk, in order."""
        for segment in list(self._segments):
            if segment.last < number:
                continue
            for found, payload in decode_frames(segment.path.read_bytes()):
                if found > segment.last:
                    break
                if found >= number:
                    yield found, payload

    def confirm(self, number: int) -> None:
        """The store has everything up to `number`: the settle step and the rows."""
        self.confirmed = number
        with contextlib.suppress(OSError):  # only saves the next owner from sending these again
            if self._confirmed_file is None:
                self._confirmed_file = os.open(self.path / "confirmed", os.O_RDWR | os.O_CREAT, 0o600)
            os.pwrite(self._confirmed_file, b"%020d" % number, 0)

    def rewind(self, number: int) -> None:
        """The store has forgotten what came after `number`."""
        self.confirm(number)

    def is_finished(self, now: float, retention: float = RETENTION_SECONDS) -> bool:
        """Whether everything is confirmed and old enough to be forgotten."""
        return self.confirmed >= self.last and all(item.written_at + retention <= now for item in self._segments)

    def trim(self, now: float, retention: float = RETENTION_SECONDS) -> None:
        """Remove segments that are confirmed and old enough, except the newest."""
        while len(self._segments) > 1:
            oldest = self._segments[0]
            if oldest.last > self.confirmed or oldest.written_at + retention > now:
                return
            oldest.path.unlink(missing_ok=True)
            self._segments.pop(0)

    def remove(self) -> None:
        """Delete the directory and let go of it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let go of the lock: anybody may adopt what is left."""
        for file in (self._confirmed_file, self._lock):
            if file is not None:
                os.close(file)

    def scan(self) -> None:
        """Find the segments of a directory that somebody else wrote; torn tails are left out."""
        for path in sorted(self.path.glob("*.seg")):
            segment = _Segment(int(path.stem), path, written_at=path.stat().st_mtime)
            for number, _ in decode_frames(path.read_bytes()):
                segment.last = number
            if segment.last:
                self._segments.append(segment)


class Spool(SpoolDirectory):
    """The spool a worker writes. `clock` is unix seconds. On a full disk it has no room, and may not be there yet."""

    def __init__(self, path: Path, clock: Callable[[], float], segment_bytes: int) -> None:
        super().__init__(path, None)
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._number = 0
        self._file = -1
        self._offset = 0
        self._spare: tuple[int, Path] | None = None
        self._is_synced = True
        self.prepare()

    @property
    def last(self) -> int:
        return self._number

    @property
    def room_bytes(self) -> int:
        """What can be appended into space that exists already."""
        here = self._segment_bytes - self._offset if self._file >= 0 else 0
        return here + (self._segment_bytes if self._spare else 0)

    def prepare(self) -> None:
        """Have a segment in hand for when the present one is full. Without disk space there is simply none."""
        if self._lock is None:
            self._lock = _make_directory(self.path)
        if self._spare is None:
            self._spare = self._allocate()
        if self._file < 0:
            self._roll()

    def append(self, payload: bytes) -> int:
        """Write one entry and answer its number. Raises StoreAway where there is no space."""
        frame = encode_frame(self._number + 1, payload)
        if self._file < 0 or self._offset + len(frame) > self._segment_bytes:
            self._roll()
        try:
            if self._file < 0 or len(frame) > self._segment_bytes:
                raise OSError("no room for an entry")
            written = os.pwrite(self._file, frame, self._offset)
            if written != len(frame):
                raise OSError("an entry was written in part")
        except OSError as error:
            raise StoreAway("The spool cannot be written: nothing may be spent.", retry_after=5.0) from error
        self._offset += len(frame)
        self._number += 1
        segment = self._segments[-1]
        segment.last = self._number
        segment.written_at = self._clock()
        self._is_synced = False
        return self._number

    def sync(self) -> None:
        """Bring everything to the disk itself; blocks."""
        file = self.unsynced_file()
        if file is not None:
            sync_file(file)

    def unsynced_file(self) -> int | None:
        """A descriptor of its own for `sync_file` in another thread, None where everything is on the disk."""
        if self._is_synced or self._file < 0:
            return None
        self._is_synced = True
        return os.dup(self._file)

    def close(self) -> None:
        if self._spare is not None:
            os.close(self._spare[0])
            self._spare[1].unlink(missing_ok=True)
            self._spare = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        super().close()

    def _roll(self) -> None:
        """Go on in a new segment, if there is one to be had."""
        spare = self._spare or self._allocate()
        self._spare = None
        if spare is None:
            return
        if self._file >= 0:
            self.sync()
            os.close(self._file)
        first = self._number + 1
        path = self.path / f"{first:020d}.seg"
        spare[1].rename(path)
        self._file, self._offset = spare[0], 0
        if self._segments and not self._segments[-1].last:
            self._segments.pop()
        self._segments.append(_Segment(first, path, written_at=self._clock()))

    def _allocate(self) -> tuple[int, Path] | None:
        path = self.path / f"spare-{uuid.uuid4().hex}"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return None
        try:
            _reserve(file, self._segment_bytes)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            return None
        return file, path


def create_spool(root: Path, clock: Callable[[], float] = time.time, segment_bytes: int = SEGMENT_BYTES) -> Spool:
    """A new spool under `root`."""
    return Spool(root / str(uuid.uuid4()), clock, segment_bytes)


def adopt_spools(root: Path) -> list[SpoolDirectory]:
    """Take over every spool whose owner is gone."""
    found = []
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if not path.is_dir() or path.name.startswith("."):  # hidden: being made at this moment
            continue
        with contextlib.suppress(OSError):  # removed by its adopter at this moment
            lock = _lock(path)
            if lock is None:
                continue
            directory = SpoolDirectory(path, lock)
            directory.scan()
            found.append(directory)
    return found


def sync_file(file: int) -> None:
    """Wait until the disk has it, and close the descriptor."""
    try:
        os.fdatasync(file)
    finally:
        os.close(file)


def _make_directory(path: Path) -> int | None:
    """The lock of a new directory, None without disk space. It is locked before it gets its name: nobody adopts it."""
    hidden = path.with_name(f".{path.name}")
    lock = None
    try:
        hidden.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock(hidden)
        if lock is None:
            raise AssertionError("nobody knows this name yet")
        hidden.rename(path)
    except OSError as error:
        if lock is not None:
            os.close(lock)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return None
    return lock


def _lock(path: Path) -> int | None:
    """The lock of a spool directory as a file descriptor, None where a living process has it."""
    file = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(path / "lock").st_ino == os.fstat(file).st_ino:
            return file
    except OSError:
        pass
    os.close(file)
    return None


def _reserve(file: int, size: int) -> None:
    """Take disk space now, so that an append cannot fail for the lack of it."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    for offset in range(0, size, len(_ZEROS)):
        os.pwrite(file, _ZEROS[: size - offset], offset)


def _read_confirmed(path: Path) -> int:
    try:
        return int((path / "confirmed").read_bytes())
    except (OSError, ValueError):
        return 0
