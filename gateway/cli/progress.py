"""A progress bar for what takes more than a second: on a terminal only, on stderr, gone when it is done."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress as Bar

_SHORT_SECONDS = 1.0  # a wait nobody needs to be told of


class Progress:
    """So many steps under one title."""

    def __init__(self, title: str, steps: int) -> None:
        self._bar = Bar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self._task = self._bar.add_task(title, total=steps)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def step(self, what: str) -> None:
        """One more is done; `what` is shown."""
        self._bar.update(self._task, advance=1, description=what)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """A turning sign for a wait that turns out long: on a terminal only, on stderr, gone when it is over."""
    if not sys.stderr.isatty():
        yield
        return
    status = Console(stderr=True).status(what)
    timer = threading.Timer(_SHORT_SECONDS, status.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        status.stop()
