"""Requests of keys that may go on while the store is away (`on_store_down: allow`): admitted by what is known locally.

While the store answers, it is asked every few seconds how the limits of such keys stand; when it is away they are
enforced by that last word and by what this worker has admitted since (core/allowance.py). What is admitted here has no
hold in the store: once it is back the ledger restates those still running, and their receipts are booked from the
spool like any other. Owns no task.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence

from gateway.core.allowance import Allowances, Amounts, Metered, Place, Share, Shortage, Slot
from gateway.core.errors import StoreAway
from gateway.core.limits import SCOPES, rolling_slots, spent_scopes
from gateway.core.neurons import neurons_at
from gateway.core.pricing import worst_cost
from gateway.core.receipt import Receipt
from gateway.core.records import Identity
from gateway.ledger.contract import Held, HoldRequest, Refused, Revoked
from gateway.ledger.holds import Holds, StoreClock
from gateway.ledger.places import Places
from gateway.store.contract import Reply, Store

REMEMBERED = 1024  # keys whose limits are followed, those used last
REFRESH_SECONDS = 5.0
_RETRY_SECONDS = 5.0  # by then the store may be back

_log = logging.getLogger(__name__)


def may_go_on(identity: Identity) -> bool:
    """Whether a key's requests are admitted while the store is away."""
    return identity.rules.on_store_down == "allow"


class Absence:
    """What one worker does without the store."""

    def __init__(self, store: Store, places: Places, clock: StoreClock, holds: Holds) -> None:
        self.admitted = 0  # requests, since the worker started
        self.has_news = False  # a key is remembered whose limits were not asked for yet
        self._store = store
        self._places = places
        self._clock = clock
        self._holds = holds
        self._allowances = Allowances()
        self._remembered: OrderedDict[str, Identity] = OrderedDict()
        self._is_noted = False  # that the store is away

    def keep_to(self, share: Share) -> None:
        """Admit no more than this part of what a limit leaves to the replica; all of it until this is said."""
        self._allowances.share = share

    def note(self, request: HoldRequest, held: Held) -> None:
        """The store admitted a request of a key that may go on: remember the key and count the claim."""
        known = self._remembered.pop(request.identity.key_hash, None)
        self._remembered[request.identity.key_hash] = request.identity
        self.has_news = self.has_news or known is None or known.versions != request.identity.versions
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        amounts = _amounts(request, held.max_tokens)
        self._allowances.claim(
            request.id, self._metered(request.identity, held.created_ms, request.model), amounts, held.created_ms
        )

    def admit(self, request: HoldRequest, created_ms: int | None) -> Held | Refused | Revoked:
        """Admit, or restate, by what is known here. Raises StoreAway where nothing is known of a limit."""
        now_ms = self._clock.now_ms()
        if not request.identity.is_valid(now_ms / 1000):
            return Revoked()
        moment = now_ms if created_ms is None else created_ms
        granted = self._allowances.grant(
            request.id,
            self._metered(request.identity, moment, request.model),
            lambda output: _amounts(request, output),
            (request.max_tokens, request.min_tokens),
            moment,
        )
        if granted is None:
            raise StoreAway(
                "The accounting store is away, and how this key's limits stand is not known here.", retry_after=1.0
            )
        if isinstance(granted, Shortage):
            return _refused(granted)
        if created_ms is None:
            self.admitted += 1
        if not self._is_noted:
            self._is_noted = True
            _log.warning("the accounting store is away: keys that may go on are served by their last known limits")
        return Held(moment, granted)

    def settled(self, receipt: Receipt) -> None:
        """A request has ended and this is what it used."""
        if not self._allowances.knows(receipt.id):
            return
        tokens = receipt.prompt_tokens + receipt.completion_tokens
        used: Amounts = {
            "money": receipt.cost_nano,
            "tokens": tokens,
            "requests": 1,
            "neurons": receipt.neurons_nano or 0,
        }
        self._allowances.end(receipt.id, used)

    def released(self, request_id: str) -> None:
        """A request has ended and used nothing."""
        self._allowances.end(request_id, {})

    async def refresh(self) -> None:
        """Ask how the limits of the remembered keys stand. Raises StoreAway."""
        self.has_news = False
        now_ms = self._clock.now_ms()
        asked: dict[Place, Metered] = {}
        for identity in self._remembered.values():
            for model in ("", *identity.limited_models):
                asked.update((each.place, each) for each in self._metered(identity, now_ms, model))
        self._allowances.ask()
        spent, places = self._places.layout.spent, list(asked.values())
        fields = [(each.meter.held_field, each.meter.used_field) for each in places]
        commands = [("HMGET", spent(each.scope_name), *pair) for each, pair in zip(places, fields, strict=True)]
        replies = await self._store.pipeline(commands) if commands else []
        found = zip(places, replies, strict=True)
        self._allowances.learn({each.place: _standing(each, reply) for each, reply in found})
        if self._is_noted:
            self._is_noted = False
            _log.warning("the accounting store is back: %d requests were admitted without it so far", self.admitted)

    def _metered(self, identity: Identity, moment_ms: int, model: str) -> tuple[Metered, ...]:
        names = spent_scopes(identity.project.id, identity.key.id)
        limited = self._holds.meters(identity, moment_ms, model).limited
        return tuple(Metered(scope, names[scope - 1], meter) for scope, meter in limited)


def _amounts(request: HoldRequest, output: int) -> Amounts:
    """What hold.lua would claim."""
    cost = worst_cost(request.price, request.prompt_tokens, output, request.choices)
    tokens = request.choices * (request.prompt_tokens + output)
    neurons = request.choices * neurons_at(*request.neuron_rates, request.prompt_tokens, output)
    return {
        "money": request.spent_nano + cost,
        "tokens": tokens,
        "requests": 1,
        "neurons": request.spent_neurons_nano + neurons,
        "concurrency": 1,
    }


def _standing(metered: Metered, reply: Sequence[Reply]) -> dict[Slot, int]:
    """Used and held of a meter, by slot."""
    held, used = reply
    meter = metered.meter
    if meter.slot_ms is not None:
        return dict(rolling_slots(used))
    return {meter.window.label: int(held or 0) + int(used or 0)}


def _refused(shortage: Shortage) -> Refused:
    meter = shortage.metered.meter
    return Refused(
        scope=SCOPES[shortage.metered.scope - 1],
        kind=meter.kind,
        window=meter.window.name,
        limit=meter.limit,
        used=shortage.used,
        held=0,
        resets_at=meter.resets_at,
        needed=shortage.needed,
        retry_after=None if shortage.is_final and meter.slot_ms is None else _RETRY_SECONDS,
        model=meter.model,
    )
