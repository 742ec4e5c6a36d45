"""Tells the other workers how long the answers of keys are, and asks them about keys that are new here.

Beside the requests, in rounds: what is unknown is asked for within a second, what has changed is told now and then. It
is no promise: a key's figure here may lag behind by a round, and without the store each worker has its own.
"""

import asyncio
import contextlib
from typing import Final

import msgspec

from gateway.core.errors import StoreAway
from gateway.fleet.lengths import OutputLengths, Seen
from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout

ASK_SECONDS: Final = 1.0
TELL_ROUNDS: Final = 10  # of asking: how often what has changed is told
MOST_AT_ONCE: Final = 500  # keys in one round

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, tuple[int, float]]).decode


class LengthExchange:
    """One per worker; `lengths` are its own."""

    def __init__(self, store: Store, layout: Layout, lengths: OutputLengths) -> None:
        self._store = store
        self._key = layout.shared("lengths")
        self._lengths = lengths

    async def run(self) -> None:
        """Exchange until cancelled."""
        rounds = 0
        while True:
            rounds += 1
            with contextlib.suppress(StoreAway):  # the next round will do
                await self.exchange(tells=rounds % TELL_ROUNDS == 0)
            await asyncio.sleep(ASK_SECONDS)

    async def exchange(self, *, tells: bool) -> None:
        """Ask about the keys that are unknown, and with `tells` bring those that have changed. Raises StoreAway."""
        lengths = self._lengths
        changed = sorted(lengths.changed)[:MOST_AT_ONCE] if tells else []
        asked = [*changed, *sorted(lengths.unknown - set(changed))[:MOST_AT_ONCE]]
        if not asked:
            return
        for key_id, known in zip(asked, await self._store.command("HMGET", self._key, *asked), strict=True):
            lengths.adopt(key_id, _read(known))
            lengths.unknown.discard(key_id)
        if changed:
            fields: list[Argument] = []
            for key_id in changed:
                fields += [key_id, _encode(lengths.seen(key_id))]
            await self._store.command("HSET", self._key, *fields)
            lengths.changed.difference_update(changed)


def _read(known: bytes | None) -> Seen:
    """What the store says of a key; nothing where it says nothing this version can read."""
    try:
        return _decode(known or b"{}")
    except msgspec.DecodeError:
        return {}
