"""What lies in spool directories, read without owning them. Writes nothing and keeps no lock."""

import fcntl
import os
from pathlib import Path

import msgspec

from gateway.ledger.frames import decode_frames


class SpoolReport(msgspec.Struct, frozen=True):
    """One spool: numbers of its newest entry and of the last confirmed one, and how many entries are on the disk."""

    name: str
    is_owned: bool  # a living process has its lock
    entries: int
    last: int
    confirmed: int

    @property
    def waiting(self) -> int:
        """Entries that the store has not confirmed."""
        return max(0, self.last - self.confirmed)


def is_spool(directory: Path) -> bool:
    """Whether there are segments in it."""
    return directory.is_dir() and any(directory.glob("*.seg"))


def describe_spools(root: Path) -> list[SpoolReport]:
    """Every spool in `root`, or `root` itself if it is one."""
    if is_spool(root):
        return [_describe(root)]
    return [_describe(path) for path in sorted(root.iterdir()) if is_spool(path) and not path.name.startswith(".")]


def _describe(path: Path) -> SpoolReport:
    numbers = [number for segment in sorted(path.glob("*.seg")) for number, _ in decode_frames(segment.read_bytes())]
    return SpoolReport(path.name, _is_owned(path), len(numbers), max(numbers, default=0), _confirmed(path))


def _is_owned(path: Path) -> bool:
    """A shared lock is asked for and given back at once; an owner has the exclusive one."""
    try:
        file = os.open(path / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _confirmed(path: Path) -> int:
    try:
        return int((path / "confirmed").read_bytes())
    except (OSError, ValueError):
        return 0
