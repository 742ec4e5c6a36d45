"""Keeping the holds of living requests alive and ending those of dead workers. Owns no task.

Renewal restates what the store no longer has (it went back in time). Expiry has two steps, the money in one Lua step
and the row after it; the store remembers rows that are still to be written, so either may be repeated by anybody.
"""

import contextlib
import math
from dataclasses import dataclass

import msgspec

from gateway.core.limits import booking_at
from gateway.core.receipt import Attempt, Receipt
from gateway.ledger.contract import HoldEnded, HoldRequest
from gateway.ledger.holds import LEASE_MS, Carry, Holds, StoreClock
from gateway.ledger.places import Places
from gateway.ledger.row_writing import row_commands
from gateway.store.contract import Argument, Reply, Store

PORTION = 100  # holds ended, rows written per round: a round is one short trip
RENEWED_AT_ONCE = 500
EXPIRED_KEPT_MS = 7 * 86_400_000  # how long a late receipt may still correct an expired hold

_decode_carry = msgspec.msgpack.Decoder(Carry).decode


@dataclass(slots=True)
class LiveHold:
    """A hold this worker answers for."""

    request: HoldRequest
    created_ms: int


class Leases:
    """Renews `live` holds and expires anybody's due ones."""

    def __init__(
        self, store: Store, places: Places, clock: StoreClock, holds: Holds, live: dict[str, LiveHold]
    ) -> None:
        self.expired = 0  # holds this worker has ended
        self._store = store
        self._places = places
        self._clock = clock
        self._holds = holds
        self._live = live

    async def renew(self) -> None:
        """Extend every live hold; take again those the store has lost. Raises StoreAway."""
        names = list(self._live)
        for start in range(0, len(names), RENEWED_AT_ONCE):
            arguments: list[Argument] = [self._clock.argument(), LEASE_MS, *names[start : start + RENEWED_AT_ONCE]]
            missing = await self._store.script("renew", [self._places.leases], arguments)
            for name in missing:
                await self._restate(name.decode())

    async def expire(self) -> None:
        """End due holds and write the rows that are owed, until there are none. Raises StoreAway."""
        while True:
            arguments: list[Argument] = [self._clock.argument(), PORTION, EXPIRED_KEPT_MS]
            now_ms, due, rowless = await self._store.script("due", self._places.due(), arguments)
            self._clock.learn(now_ms)
            if rowless:
                await self._write_rows(rowless)
            if due:
                ended = await self._store.pipeline([self.expire_step(fact) for fact in due])
                self.expired += sum(ended)
            if not due and not rowless:
                return

    async def _restate(self, request_id: str) -> None:
        live = self._live.get(request_id)
        if live is None:
            return
        with contextlib.suppress(HoldEnded):  # meanwhile; its receipt, when it comes, is all that is still owed
            await self._holds.take(live.request, live.created_ms)

    def expire_step(self, fact: list[Reply]) -> tuple[Argument, ...]:
        """The step that ends one due hold, as due.lua described it."""
        carry = _decode_carry(fact[7])
        keys = self._places.expire(carry.project_id, carry.api_key_id, fact[1])
        booking = booking_at(fact[1], zone=self._places.layout.zone)
        return tuple(self._store.step("expire", keys, (self._clock.argument(), fact[0], booking.packed)))

    async def _write_rows(self, rowless: list[list[Reply]]) -> None:
        """Rows first, then the promise is taken back: a crash in between only repeats the writing."""
        estimated = [expired_row(fact) for fact in rowless if not fact[0].endswith(b"!")]
        corrected = [released_row(fact) for fact in rowless if fact[0].endswith(b"!")]
        layout = self._places.layout
        commands = [*row_commands(layout, estimated, keep_existing=True), *row_commands(layout, corrected)]
        await self._store.pipeline(commands)
        await self._store.command("HDEL", self._places.rowless, *(fact[0] for fact in rowless))


def expired_row(fact: list[Reply]) -> Receipt:
    """The row of a hold whose worker died: all it held, labelled as an estimate."""
    carry = _decode_carry(fact[7])
    held = _held_attempt(carry, fact)
    return Receipt(
        id=fact[0].decode().removesuffix("!"),
        created_ms=fact[1],
        organization_id=carry.organization_id,
        project_id=carry.project_id,
        api_key_id=carry.api_key_id,
        surface=carry.surface,
        requested_model=carry.requested_model,
        route=carry.route,
        reason=carry.reason,
        model=carry.model,
        prompt_tokens=held.prompt_tokens,
        completion_tokens=held.completion_tokens,
        cached_tokens=0,
        cost_nano=held.cost_nano,
        neurons_nano=held.neurons_nano,
        usage_source="estimated",
        price_source=carry.price_source,
        end_reason="expired",
        status=0,  # nobody is left who could say what the client saw
        stream=carry.stream,
        latency_ms=0,
        ttft_ms=None,
        upstream=carry.upstream,
        attempts=[held],
        tags=carry.tags,
        rolled_up=carry.rolled_up,
        neurons_source="computed",
    )


def _held_attempt(carry: Carry, fact: list[Reply]) -> Attempt:
    """What was held, as if one attempt had used it all."""
    _, _, choices, prompt, granted, money, _, _, neurons = fact
    return Attempt(
        carry.model,
        "expired",
        choices * prompt,
        choices * granted,
        neurons_nano=int(neurons) or None,  # none at all: rates that are not known
        neurons_source="computed",
        cost_nano=int(money),
        price_id=carry.price_id,
        usage_source="estimated",
    )


def released_row(fact: list[Reply]) -> Receipt:
    """The row of a hold that expired and was given back later: the request stays, as failed and free."""
    row = expired_row(fact)
    row.prompt_tokens = row.completion_tokens = row.cost_nano = 0
    row.neurons_nano, row.neurons_source = None, "reported"
    row.end_reason = "failed"
    row.attempts = []
    return row


def seconds_until_renewal(lease_ms: int = LEASE_MS) -> float:
    """How often leases are renewed: two renewals may fail before one runs out."""
    return math.floor(lease_ms / 3) / 1000
