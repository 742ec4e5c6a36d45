"""The ledger of one worker: holds go to the store, receipts to the spool, and tasks bring the spool to the store.

It owns every task and file of the accounting. It decides nothing about money: the Lua steps do, by what core/limits.py
and core/pricing.py computed. See docs/ledger.md for the protocol.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.core.allowance import Share
from gateway.core.errors import StoreAway
from gateway.core.rates import Rate
from gateway.core.receipt import Receipt
from gateway.core.records import Identity
from gateway.ledger.absence import REFRESH_SECONDS, Absence, may_go_on
from gateway.ledger.contract import Held, HoldEnded, HoldRequest, Refused
from gateway.ledger.entries import Entry, Release, Settle, encode_entry
from gateway.ledger.forwarder import Forwarder
from gateway.ledger.holds import Holds, Outcome, StoreClock
from gateway.ledger.leases import Leases, LiveHold, seconds_until_renewal
from gateway.ledger.places import Places
from gateway.ledger.spool import RETENTION_SECONDS, Spool, adopt_spools, create_spool, sync_file
from gateway.ledger.standings import Standings
from gateway.store.contract import Reconnected, Store, Unanswered
from gateway.store.layout import Layout

HOLD_SECONDS = 2.0
ENTRY_BYTES = 4096  # room kept per request in flight; a receipt takes about 500
SYNC_SECONDS = 1.0
BACKOFF_SECONDS = (0.05, 2.0)

Fsync = Literal["never", "interval", "always"]

_log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class LedgerOptions:
    """When receipts reach the disk itself, and the tags whose values are summed up."""

    fsync: Fsync = "never"
    rollup_tags: tuple[str, ...] = ()


class StoreLedger:
    """Implements `ledger.contract.Ledger`. `clock` is unix seconds; `store_now` (ms) replaces the store's, in tests."""

    def __init__(
        self,
        store: Store,
        layout: Layout,
        spool_root: Path,
        *,
        options: LedgerOptions = LedgerOptions(),
        clock: Callable[[], float] = time.time,
        store_now: Callable[[], int] | None = None,
    ) -> None:
        self.live: dict[str, LiveHold] = {}
        self._store = store
        self._fsync = options.fsync
        self._clock = clock
        self._root = spool_root
        self._places = Places(layout, options.rollup_tags)
        self._store_clock = StoreClock(store_now)
        self._holds = Holds(store, self._places, self._store_clock)
        self._absence = Absence(store, self._places, self._store_clock, self._holds)
        self._standings = Standings(store, self._places, self._store_clock, self._holds)
        self._leases = Leases(store, self._places, self._store_clock, self._holds, self.live)
        self._spool: Spool = create_spool(spool_root, clock)
        self._forwarder = Forwarder(store, self._places, self._spool, self._store_clock.argument)
        self._adopted: list[Forwarder] = []
        self._recovered = -1
        self._recovery = asyncio.Lock()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pending(self) -> int:
        """Spool entries the store has not confirmed, adopted spools included."""
        return self._forwarder.pending + sum(forwarder.pending for forwarder in self._adopted)

    @property
    def expired(self) -> int:
        """Holds of dead workers this one has ended."""
        return self._leases.expired

    @property
    def admitted_without_store(self) -> int:
        """Requests this worker has admitted by itself while the store was away."""
        return self._absence.admitted

    @property
    def lost(self) -> int:
        """Entries a store that went back in time has forgotten and no spool has any more."""
        return self._forwarder.lost + sum(forwarder.lost for forwarder in self._adopted)

    def keep_to(self, share: Share) -> None:
        """While the store is away, admit no more than this part of what the limits left."""
        self._absence.keep_to(share)

    async def start(self) -> None:
        """Begin to forward, renew, expire and adopt. Works without the store: it is looked for as long as it takes."""
        runs: list[Callable[[], Awaitable[None]]] = [
            self._forward_forever,
            self._maintain_forever,
            self._follow_limits_forever,
        ]
        if self._fsync == "interval":
            runs.append(self._sync_forever)
        self._tasks = [asyncio.ensure_future(run()) for run in runs]
        for task in self._tasks:
            task.add_done_callback(_report_end)
        self._wake.set()

    async def hold(self, request: HoldRequest) -> Outcome:
        """Reserve or restate; see the contract. A hold that was not answered is given back by itself."""
        known = self.live.get(request.id)
        created_ms = None if known is None else known.created_ms
        is_free = may_go_on(request.identity)
        outcome: Outcome
        if is_free and (not self._store.is_answering or self._recovery.locked()):
            outcome = self._absence.admit(request, created_ms)
        else:
            outcome = await self._hold_or_go_on(request, known, is_free=is_free)
        if isinstance(outcome, Held):
            self.live[request.id] = LiveHold(request, outcome.created_ms)
        return outcome

    async def _hold_or_go_on(self, request: HoldRequest, known: LiveHold | None, *, is_free: bool) -> Outcome:
        """Ask the store; where it is away and the key may go on without it, decide here."""
        created_ms = None if known is None else known.created_ms
        is_kept = False  # by a store that may have taken the hold, for nobody
        try:
            outcome = await self._ask(request, created_ms)
            if is_free and isinstance(outcome, Held):
                self._absence.note(request, outcome)
            return outcome
        except HoldEnded:
            raise
        except StoreAway as away:
            is_kept = isinstance(away, Unanswered)
            self._wake.set()  # the forwarder finds out when the store is back
            if not is_free:
                raise
            outcome = self._absence.admit(request, created_ms)
            is_kept = is_kept and not isinstance(outcome, Held)
            return outcome
        except asyncio.CancelledError:
            is_kept = True
            raise
        finally:
            if is_kept:
                self._give_back(request, known)

    def settle(self, receipt: Receipt) -> None:
        """Append the receipt; from here on it cannot be lost. Raises StoreAway if it could not be written."""
        receipt.rolled_up = self._places.declared(receipt.tags)
        self._append(Settle(receipt))
        self.live.pop(receipt.id, None)
        self._absence.settled(receipt)

    def release(self, request_id: str, identity: Identity) -> None:
        """Give a hold back. Raises StoreAway if the spool cannot be written: then the lease ends it."""
        live = self.live.get(request_id)
        created_ms = self._store_clock.now_ms() if live is None else live.created_ms
        self._append(Release(request_id, created_ms, identity.project.id, identity.key.id))
        self.live.pop(request_id, None)
        self._absence.released(request_id)

    async def rates(self, identity: Identity) -> tuple[Rate, ...]:
        """How tokens and requests of an identity stand; nothing where the store does not say so in time."""
        return await self._standings.read(identity)

    def has_room(self) -> bool:
        """Whether every request in flight and one more can be written down."""
        needed = (len(self.live) + 1) * ENTRY_BYTES
        if self._spool.room_bytes < needed:
            self._spool.prepare()
        return self._spool.room_bytes >= needed

    async def drain(self, deadline: float) -> bool:
        """Wait until the store has everything, at most until `deadline` (loop time); whether it has."""
        with contextlib.suppress(StoreAway, TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._forward()
        return self.pending == 0

    async def close(self) -> None:
        """Stop all tasks and let go of the spools. What is not confirmed is adopted by the next worker."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for forwarder in [self._forwarder, *self._adopted]:
            forwarder.spool.close()
        self._adopted.clear()

    async def maintain(self, retention: float = RETENTION_SECONDS) -> None:
        """One round of everything periodic. Raises StoreAway."""
        self._spool.prepare()
        await self._recover()
        await self._leases.renew()
        await self._leases.expire()
        self._adopted += [
            Forwarder(self._store, self._places, directory, self._store_clock.argument)
            for directory in adopt_spools(self._root)
        ]
        for forwarder in list(self._adopted):
            await forwarder.recover()
            await forwarder.advance()
            if forwarder.spool.is_finished(self._clock(), retention):
                self._adopted.remove(forwarder)
                forwarder.spool.remove()
                await self._store.command("HDEL", self._places.applied, forwarder.spool.name)
        self._spool.trim(self._clock(), retention)

    async def _ask(self, request: HoldRequest, created_ms: int | None) -> Outcome:
        """The store's answer, in time. Raises StoreAway, as Unanswered where the hold may have been taken."""
        try:
            async with asyncio.timeout(HOLD_SECONDS):
                outcome = await self._hold_once_recovered(request, created_ms)
                if isinstance(outcome, Refused) and self._forwarder.pending and _may_be_freed(outcome):
                    # What has ended here and is on its way to the store may be all that is in the way.
                    await self._forward()
                    outcome = await self._hold_once_recovered(request, created_ms)
                return outcome
        except TimeoutError as error:
            raise Unanswered("The accounting store does not answer in time.", retry_after=1.0) from error

    async def _hold_once_recovered(self, request: HoldRequest, created_ms: int | None) -> Outcome:
        while True:
            if self._store.generation != self._recovered:
                await self._recover()
            with contextlib.suppress(Reconnected):
                return await self._holds.take(request, created_ms, self._recovered)

    def _give_back(self, request: HoldRequest, known: LiveHold | None) -> None:
        """The store may hold what nobody waits for. A restated hold is left to who has it."""
        if known is None:
            with contextlib.suppress(StoreAway):  # without the spool the lease ends it
                self.release(request.id, request.identity)

    def _append(self, entry: Entry) -> None:
        number = self._spool.append(encode_entry(entry))
        if self._fsync == "always":
            self._spool.sync()
        self._forwarder.offer(number, entry)
        self._wake.set()

    async def _recover(self) -> None:
        """After every new connection: is the store as far as we remember? If not, replay and restate, then admit."""
        async with self._recovery:
            while self._store.generation != self._recovered:
                seconds, micros = await self._store.command("TIME")
                generation = self._store.generation
                self._store_clock.learn(int(seconds) * 1000 + int(micros) // 1000)
                for forwarder in [self._forwarder, *self._adopted]:
                    await forwarder.recover()
                    await forwarder.advance()
                await self._leases.renew()
                self._recovered = generation

    async def _forward(self) -> None:
        if not self._store.is_answering:
            await self._store.command("PING")
        if self._store.generation != self._recovered:
            await self._recover()
        await self._forwarder.advance()

    async def _forward_forever(self) -> None:
        pause, longest = BACKOFF_SECONDS
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._forward()
                pause = BACKOFF_SECONDS[0]
            except StoreAway:
                self._wake.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)

    async def _maintain_forever(self) -> None:
        while True:
            try:
                await self.maintain()
            except StoreAway as error:
                _log.warning("ledger upkeep waits for the store: %s", error.message)
            await asyncio.sleep(seconds_until_renewal())

    async def _follow_limits_forever(self) -> None:
        """Of keys that may go on without the store; soon where one of them is new."""
        while True:
            for _ in range(20):
                await asyncio.sleep(REFRESH_SECONDS / 20)
                if self._absence.has_news:
                    break
            with contextlib.suppress(StoreAway):
                await self._absence.refresh()

    async def _sync_forever(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            file = self._spool.unsynced_file()
            if file is not None:
                await asyncio.to_thread(sync_file, file)


def _may_be_freed(refused: Refused) -> bool:
    """Whether only what requests hold is in the way, and may come back: a request that was admitted stays one."""
    return refused.kind != "requests" and refused.used + refused.needed <= refused.limit


def _report_end(task: asyncio.Task[None]) -> None:
    """A ledger task never ends by itself: if one does, it is a defect that must be seen."""
    if not task.cancelled():
        _log.critical("a ledger task ended: %s", task.get_coro(), exc_info=task.exception())
