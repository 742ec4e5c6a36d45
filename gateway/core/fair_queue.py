"""Who is next, where requests of several projects wait for the same thing: every project gets on by its weight.

Stride scheduling: a project that was served moves on by what it took divided by its weight, and the one that is
furthest behind is next. A project that begins to wait starts where the others are: having been quiet earns nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, frozen=True)
class Waiting(Generic[T]):
    """One that waits. `size` is how much it takes, `item` whoever it is."""

    project: str
    weight: int
    size: int
    item: T


@dataclass(slots=True)
class _Line(Generic[T]):
    """The requests of one project, oldest first, and how far the project has got."""

    position: float
    waiting: deque[Waiting[T]] = field(default_factory=deque)


class FairQueue(Generic[T]):
    """Lines by project. Projects are forgotten when their line is empty and all others are as far."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line[T]] = {}
        self._now = 0.0  # how far the project served last had got before

    def __len__(self) -> int:
        return sum(len(line.waiting) for line in self._lines.values())

    def __iter__(self) -> Iterator[Waiting[T]]:
        """Everybody, in no particular order."""
        for line in self._lines.values():
            yield from line.waiting

    def length(self, project: str) -> int:
        """How many of a project wait."""
        line = self._lines.get(project)
        return 0 if line is None else len(line.waiting)

    def join(self, waiting: Waiting[T]) -> None:
        """At the end of its project's line."""
        line = self._lines.get(waiting.project)
        if line is None:
            line = self._lines[waiting.project] = _Line(self._now)
        if not line.waiting:
            line.position = max(line.position, self._now)
        line.waiting.append(waiting)

    def leave(self, waiting: Waiting[T]) -> None:
        """It waits no longer, without having been served. Nothing happens where it does not stand here."""
        line = self._lines.get(waiting.project)
        if line is not None and waiting in line.waiting:
            line.waiting.remove(waiting)

    def next(self, may: Callable[[T], bool]) -> Waiting[T] | None:
        """Take out the next for whom `may` says yes; of a project the oldest such."""
        for line in sorted(self._lines.values(), key=lambda line: line.position):
            for waiting in line.waiting:
                if may(waiting.item):
                    self._serve(line, waiting)
                    return waiting
        return None

    def _serve(self, line: _Line[T], waiting: Waiting[T]) -> None:
        line.waiting.remove(waiting)
        self._now = max(self._now, line.position)
        line.position += waiting.size / waiting.weight
        for project in [name for name, each in self._lines.items() if not each.waiting and each.position <= self._now]:
            del self._lines[project]
