"""What the rest of the gateway needs of the store."""

from collections.abc import Sequence
from typing import Any, Protocol

Argument = str | bytes | int
Reply = Any  # a Redis reply: bytes, int, None, or a list of replies


class Store(Protocol):
    """A Redis-compatible server. Every call has a deadline and raises `core.errors.StoreAway` past it.

    Replies are raw (bytes, not str). Nothing is ever sent twice: a timed-out call may or may not have happened.
    """

    async def command(self, *arguments: Argument) -> Reply:
        """One command."""
        ...

    async def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Reply]:
        """Several commands in one round trip, not atomic. The first error reply is raised as StoreAway."""
        ...

    async def script(self, name: str, keys: Sequence[Argument], arguments: Sequence[Argument]) -> Reply:
        """Run `gateway/lua/<name>.lua` atomically. Calls of one loop turn leave together, without a timer."""
        ...

    async def close(self) -> None: ...
