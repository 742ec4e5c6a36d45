"""What becomes of a request whose client has left: cancelled at once, or drained within bounds.

Cancelling closes the upstream; what was used so far is booked. Draining (`Rules.on_disconnect`) lets the request's own
task read on, so that the row says what the upstream reports; nobody is sent anything any more. A drain ends after so
many seconds or tokens, there are only so many at a time, and the server's shutdown ends those that are left. Only an
upstream call under way is drained: whoever leaves while waiting has used nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.core.answer import Delta, Event, ToolDelta
from gateway.job import Drain, Request
from gateway.relay import ClientGone

DRAINS_AT_ONCE: Final = 256  # per worker; whoever leaves beyond them is cancelled
CLIENT_CLOSED_REQUEST: Final = 499  # nginx's number for it
DRAIN_SECONDS: Final = 30
DRAIN_TOKENS: Final = 2_048


class Departures:
    """One per worker. `count` counts the tokens of a text."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self.draining = 0
        self._count = count

    def leave(self, request: Request, work: "asyncio.Task[Any]") -> None:  # Any: whatever the task returns
        """The client of `request`, served by `work`, has left."""
        job = request.job
        if job is None or not job.is_drainable or self.draining >= DRAINS_AT_ONCE:
            work.cancel()
            return
        rules = job.identity.rules
        tokens = DRAIN_TOKENS if rules.drain_tokens is None else rules.drain_tokens
        job.drain = Drain(tokens, 200 if request.exchange.is_committed else CLIENT_CLOSED_REQUEST)
        seconds = DRAIN_SECONDS if rules.drain_seconds is None else rules.drain_seconds
        timer = asyncio.get_running_loop().call_later(seconds, work.cancel)
        self.draining += 1
        work.add_done_callback(lambda _: self._ended(timer))

    def drained(self, drain: Drain, events: Sequence[Event]) -> None:
        """Count what was read for nobody. Raises ClientGone once it is enough."""
        for event in events:
            if isinstance(event, Delta):
                drain.tokens_left -= self._count(event.text)
            elif isinstance(event, ToolDelta):
                drain.tokens_left -= self._count((event.name or "") + event.arguments)
        if drain.tokens_left <= 0:
            raise ClientGone

    def _ended(self, timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self.draining -= 1
