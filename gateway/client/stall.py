"""Ends a read for which the upstream lets wait too long. Never decides what that means.

A timer per read would cost more than the read's own bookkeeping; here one timer lives as long as the stream and looks,
when it fires, at how long the read of that moment has been waiting.
"""

import asyncio
from typing import Any


class StallWatch:
    """Guards the reads of one stream: `limit_seconds` for each of them. Used by one task at a time."""

    __slots__ = ("_fired", "_limit", "_loop", "_since", "_task", "_timer")

    def __init__(self, limit_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit_seconds
        self._since = 0.0
        self._task: asyncio.Task[Any] | None = None  # Any: as in `begin`
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(limit_seconds, self._look)
        self._fired = False

    def begin(self, task: "asyncio.Task[Any] | None") -> None:  # Any: what it returns is not looked at
        """A read starts in this task, the running one."""
        self._since = self._loop.time()
        self._task = task

    def end(self) -> None:
        """The read is over, however it ended."""
        self._task = None

    def caused(self) -> bool:
        """Whether the cancellation just caught was this watch's; if so it is taken back from the task."""
        if not self._fired:
            return False
        self._fired = False
        task = asyncio.current_task()
        # Somebody else may have cancelled the task in the same turn of the loop; their wish goes first.
        return task is not None and task.uncancel() == 0

    def stop(self) -> None:
        """No read follows. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._task is None:
            self._timer = self._loop.call_later(self._limit, self._look)
            return
        left = self._since + self._limit - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self._timer = None
        self._fired = True
        self._task.cancel()
