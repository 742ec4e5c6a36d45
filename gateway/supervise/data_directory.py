"""The data directory: made, checked, locked for one gateway, and the two secrets that lie in it.

It never deletes anything and never prints a secret.
"""

import contextlib
import fcntl
import getpass
import os
import secrets
import tempfile
from pathlib import Path

from gateway.supervise.errors import CannotStart


class DataDirectory:
    """One gateway's directory, locked from `open` to `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.was_left_in_a_hurry = False
        self._lock = -1

    @property
    def store_home(self) -> Path:
        return self.path / "store"

    @property
    def metrics_directory(self) -> Path:
        return self.path / "metrics"

    @property
    def admin_key_file(self) -> Path:
        return self.path / "admin-key"

    @property
    def first_key_file(self) -> Path:
        return self.path / "first-key"

    @property
    def lock(self) -> int:
        """The lock's file number, for the program that comes after this one."""
        return self._lock

    def take_over(self, lock: int) -> None:
        """Instead of `open`: this process has held the lock since before it ran this program."""
        self._lock = lock

    def open(self) -> None:
        """Make the directory and take the lock. Raises CannotStart where it is unwritable or another gateway's.

        `was_left_in_a_hurry` tells whether the last gateway here was killed: its workers may still be leaving.
        """
        try:
            for folder in (*reversed(self.path.parents), self.path):  # a demo's is `demo` in what becomes the real one
                if not folder.is_dir():
                    folder.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
            self._lock = os.open(self.path / "gateway.pid", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(
                f"data_dir {self.path} is not writable for the user {_user_name()} ({error.strerror}). "
                "Give that user the directory, or set `data_dir` to another one."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(self._lock, 32).decode().strip() or "unknown"
            os.close(self._lock)
            self._lock = -1
            raise CannotStart(
                f"another gateway (pid {pid}) already runs on data_dir {self.path}. "
                "Stop it, or give this one a `data_dir` of its own."
            ) from error
        self.was_left_in_a_hurry = os.fstat(self._lock).st_size > 0
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Give the lock back, leaving word that the end was orderly. May be called twice."""
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1

    def forget_store(self) -> None:
        """The next store that answers becomes this directory's, whatever it carries. Its old data is left alone."""
        (self.path / "store-instance").unlink(missing_ok=True)

    def admin_key(self) -> str:
        """The generated admin key, made on first use."""
        if not read_secret(self.admin_key_file):
            write_secret(self.admin_key_file, "sk-admin-" + secrets.token_urlsafe(32))
        return read_secret(self.admin_key_file)


def owner_of(directory: Path) -> int | None:
    """The process id of the gateway that runs on a data directory, 0 while it is starting; None where none does."""
    try:
        lock = os.open(directory / "gateway.pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.read(lock, 32).decode().strip() or 0)
    finally:
        os.close(lock)
    return None


def read_secret(file: Path) -> str:
    """The secret in a file, or nothing where there is no file or it is empty."""
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def write_secret(file: Path, secret: str) -> None:
    """Write a file only its owner can read, whole or not at all. An empty secret marks an intention."""
    descriptor, name = tempfile.mkstemp(prefix=file.name, dir=file.parent)  # mkstemp: mode 0600 from the first byte
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(f"{secret}\n" if secret else "")
            written.flush()
            os.fsync(written.fileno())
        Path(name).rename(file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id without a name, as in many containers
        return str(os.getuid())
