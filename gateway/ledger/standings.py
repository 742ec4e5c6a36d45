"""How a caller's tokens and requests stand, read and not held: for answers to requests that never came to a hold."""

import asyncio
from collections.abc import Sequence

from gateway.core.errors import StoreAway
from gateway.core.limits import SLOTS, Meter, rolling_slots, rolling_sums, spent_scopes
from gateway.core.rates import Rate
from gateway.core.records import Identity
from gateway.ledger.holds import Holds, StoreClock
from gateway.ledger.places import Places
from gateway.store.contract import Reply, Store

READ_SECONDS = 0.5

_KINDS = ("tokens", "requests")


class Standings:
    """Reads what hold.lua would say of an identity's limits. Owns no task."""

    def __init__(self, store: Store, places: Places, clock: StoreClock, holds: Holds) -> None:
        self._store = store
        self._places = places
        self._clock = clock
        self._holds = holds

    async def read(self, identity: Identity) -> tuple[Rate, ...]:
        """Of the limits on each kind the one that leaves least; nothing where none is, or the store does not say."""
        now_ms = self._clock.now_ms()
        limited = [each for each in self._holds.meters(identity, now_ms, "").limited if each[1].kind in _KINDS]
        if not limited or not self._store.is_answering:
            return ()
        names = spent_scopes(identity.project.id, identity.key.id)
        commands = [
            ("HMGET", self._places.layout.spent(names[scope - 1]), meter.used_field, meter.held_field)
            for scope, meter in limited
        ]
        try:
            async with asyncio.timeout(READ_SECONDS):
                counts = await self._store.pipeline(commands)
        except (StoreAway, TimeoutError):
            return ()
        found = [_rate(meter, each, now_ms) for (_, meter), each in zip(limited, counts, strict=True)]
        by_kind = ([rate for rate in found if rate.kind == kind] for kind in _KINDS)
        return tuple(min(rates, key=lambda rate: rate.remaining) for rates in by_kind if rates)


def _rate(meter: Meter, counts: Sequence[Reply], now_ms: int) -> Rate:
    if meter.slot_ms is None:
        left = meter.limit - sum(int(count or 0) for count in counts)
        reset_ms = None if meter.resets_at is None else meter.window.end_ms - now_ms
        return Rate(meter.kind, meter.limit, max(0, left), reset_ms)
    left = meter.limit - sum(rolling_sums(counts[0], meter.slot_ms, now_ms))
    slots = rolling_slots(counts[0])
    reset_ms = (slots[-1][0] + SLOTS + 1) * meter.slot_ms - now_ms if slots else 0
    return Rate(meter.kind, meter.limit, max(0, left), max(0, reset_ms))
