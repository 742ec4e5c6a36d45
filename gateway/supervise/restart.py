"""A restart under load, asked for by SIGUSR2: rehearse the new program, then become it. Nothing is ended here.

What came of it stands in `restart` in the data directory, for `gateway restart` to read.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from gateway.config.settings import Settings
from gateway.supervise.rehearsal import Rehearsal

_log = logging.getLogger("gateway.supervise")


class RestartRecord(msgspec.Struct, frozen=True):
    """How often the program was replaced and asked to be, since the last start, and why not the last time."""

    restarts: int = 0
    asked: int = 0
    refusal: str = ""


def read_record(data_dir: Path) -> RestartRecord:
    """What stands in the file; nothing yet where there is none."""
    try:
        return msgspec.json.decode((data_dir / "restart").read_bytes(), type=RestartRecord)
    except (OSError, msgspec.DecodeError):
        return RestartRecord()


def write_record(data_dir: Path, record: RestartRecord) -> None:
    """Whole or not at all."""
    fresh = data_dir / "restart.new"
    fresh.write_bytes(msgspec.json.encode(record))
    fresh.replace(data_dir / "restart")


def note_start(data_dir: Path, restarts: int) -> None:
    """The gateway serves, after so many replacements of its program."""
    asked = read_record(data_dir).asked + 1 if restarts else 0
    write_record(data_dir, RestartRecord(restarts, asked))


class Restart:
    """One parent's. `command` starts the program again; `hand_over` becomes it, or raises OSError."""

    def __init__(self, command: Sequence[str], running: Settings, hand_over: Callable[[], None]) -> None:
        self._command = command
        self._running = running
        self._hand_over = hand_over
        self._rehearsal: Rehearsal | None = None

    def ask(self) -> None:
        """Begin, unless it has begun."""
        if not self._command:
            _log.error("SIGUSR2 changes nothing: how to start this program again is not known")
        elif self._rehearsal is None:
            _log.info("restart: trying whether the new program works")
            try:
                self._rehearsal = Rehearsal(self._command)
            except OSError as error:
                self._refuse(str(error))

    def tend(self) -> None:
        """One step; called between the parent's waits. Does not return from the last one."""
        if self._rehearsal is None:
            return
        outcome = self._rehearsal.outcome(self._running)
        if outcome is None:
            return
        self._rehearsal = None
        if outcome:
            self._refuse(outcome)
            return
        _log.info("restart: the new program takes over")
        try:
            self._hand_over()
        except OSError as error:
            self._refuse(str(error))

    def stop(self) -> None:
        """The gateway ends: nothing is tried any more."""
        if self._rehearsal is not None:
            self._rehearsal.stop()

    def _refuse(self, why: str) -> None:
        _log.error("THE RESTART IS REFUSED, the running program goes on:\n%s", why)
        before = read_record(self._running.data_dir)
        write_record(self._running.data_dir, RestartRecord(before.restarts, before.asked + 1, why))
