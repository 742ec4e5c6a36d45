"""A progress bar for what takes more than a second: on a terminal only, on stderr, gone when it is done."""

import contextlib
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress as Bar


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
    """A turning sign for a wait whose length nobody knows: on a terminal only, on stderr, gone when it is over."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(what):
        yield
