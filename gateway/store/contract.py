"""What the rest of the gateway needs of the store."""

from collections.abc import Sequence
from typing import Any, Protocol

from gateway.core.errors import StoreAway

Argument = str | bytes | int
Reply = Any  # a Redis reply: bytes, int, None, or a list of replies


class Unanswered(StoreAway):
    """The command was sent and no answer came: it may have happened. Any other StoreAway: it did not."""


class Reconnected(StoreAway):
    """A step bound to one connection was not sent, because there is a new one: look at the store first."""


class Store(Protocol):
    """A Redis-compatible server. Every call has a deadline and raises `core.errors.StoreAway` past it.

    Replies are raw (bytes, not str). Nothing is ever sent twice: a timed-out call may or may not have happened.
    """

    generation: int
    """Changes with every connection: what was learned from the store before may be out of date."""

    @property
    def is_answering(self) -> bool:
        """Whether the last call was answered: while it is False, who can do without the store need not wait for it."""
        ...

    async def command(self, *arguments: Argument) -> Reply:
        """One command."""
        ...

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        """Several commands in one round trip, not atomic. The first error reply is raised as StoreAway."""
        ...

    def step(self, name: str, keys: Sequence[Argument], arguments: Sequence[Argument]) -> Sequence[Argument]:
        """`script` as a command to put into a `pipeline`."""
        ...

    async def script(
        self, name: str, keys: Sequence[Argument], arguments: Sequence[Argument], generation: int | None = None
    ) -> Reply:
        """Run `gateway/lua/<name>.lua` atomically. Calls of one loop turn leave together, without a timer.

        With `generation` given it runs on that connection or not at all: raises Reconnected where there is a new one.
        """
        ...

    def suspect(self) -> None:
        """Something the store said does not fit: make sure that it is still ours before it is used again."""
        ...

    async def close(self) -> None: ...
