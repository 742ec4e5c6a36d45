"""A progress bar on stderr while a command goes through many pages; nothing where stderr is no terminal."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class ProgressBar:
    """How much of a stretch of time was gone through, and how many rows were seen. Use it in a `with` statement."""

    def __init__(self, what: str) -> None:
        columns = (
            TextColumn(what),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]} rows"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._task = self._progress.add_task(what, total=None, rows=0)
        self._rows = 0

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def advance(self, done: int, total: int, rows: int) -> None:
        """`done` of `total` seconds are behind us, `rows` more rows were seen."""
        self._rows += rows
        self._progress.update(self._task, completed=done, total=max(1, total), rows=self._rows)
