"""Carries notes between this worker and all others, through the store: every second, and at once what is urgent.

No request ever waits for it. While the store is away every worker goes by what it knows and finds out itself; when it
is back, what was found out meanwhile is told. A store without the notes (a new or an old one) is given them again.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from gateway.core.errors import StoreAway
from gateway.fleet.notes import Board, Note, read_note
from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout

EXCHANGE_SECONDS: Final = 1.0

_log = logging.getLogger("gateway.fleet")


class Exchange:
    """One per worker. `learn` is told what the others have found out. Runs as a task of whoever calls `run`."""

    def __init__(self, store: Store, layout: Layout, board: Board, learn: Callable[[Sequence[Note]], None]) -> None:
        self._store = store
        self._key = layout.shared("fleet")
        self._board = board
        self._learn = learn
        self._version = -1
        self._urgent = asyncio.Event()
        board.wake = self._urgent.set

    async def run(self) -> None:
        """Exchange until cancelled."""
        is_away = False
        while True:
            try:
                await self.exchange()
                is_away = False
            except StoreAway as error:
                if not is_away:
                    _log.warning("what is learned about models stays with this worker for now: %s", error.message)
                is_away = True
            if is_away:
                await asyncio.sleep(EXCHANGE_SECONDS)
            else:
                await self._until_urgent()

    async def exchange(self) -> None:
        """Tell and be told, once. Raises StoreAway; what was not told then is told next time."""
        self._urgent.clear()
        taken = self._board.take()
        arguments: list[Argument] = [self._version]
        for note in taken:
            arguments += [note.name, repr(note.at), note.encoded()]
        try:
            version, *rest = await self._store.script("learn", [self._key], arguments)
        except BaseException:
            self._board.put_back(taken)
            raise
        self._version = version
        if rest:
            self._learn(self._board.merge(_read(rest[0])))

    async def _until_urgent(self) -> None:
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                await self._urgent.wait()
        except TimeoutError:
            return


def _read(reply: Sequence[bytes]) -> Iterator[Note]:
    """The notes of a hash's names and values."""
    for name, value in zip(reply[::2], reply[1::2], strict=True):
        at, _, encoded = value.partition(b" ")
        note = read_note(name.decode(), float(at), encoded) if encoded else None
        if note is not None:
            yield note
