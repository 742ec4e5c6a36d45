"""Taking and restating holds: what hold.lua is asked, and what its answers mean. Owns no task.

The store's clock decides when a request was created. We follow it by the answers, so as to name the right window at
once and to say until when a step may still run: one that reaches the store later takes nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from gateway.core.errors import StoreAway
from gateway.core.limits import SCOPES, Meters, meters_for
from gateway.core.pricing import dearest_input
from gateway.core.rates import Rate
from gateway.core.records import Identity, Key, Organization, Project
from gateway.ledger.contract import Held, HoldEnded, HoldRequest, Refused, Revoked, Stale
from gateway.ledger.places import Keys, Places, packed_tags, rollup_name
from gateway.store.contract import Argument, Reply, Store
from gateway.store.stored import stored

LEASE_MS = 30_000
LATE_MS = 15_000  # longer than any deadline, shorter than tombstones are kept (60 s, settle.lua)
_REMEMBERED = 4096
_ATTEMPTS = 4  # a wrong clock and a wrong window are each corrected by one answer

_encode_carry = msgspec.msgpack.Encoder().encode
_decode_key = stored(Key, "key")
_decode_project = stored(Project, "project")
_decode_organization = stored(Organization, "organization")

Outcome = Held | Refused | Stale | Revoked


class Carry(msgspec.Struct, frozen=True, array_like=True):
    """What the row of an expired hold needs besides its amounts."""

    organization_id: str
    project_id: str
    api_key_id: str
    surface: str
    requested_model: str
    route: str
    reason: str
    model: str
    price_id: str
    price_source: str
    upstream: str
    stream: bool
    tags: dict[str, str] = {}
    rolled_up: list[str] = []


@dataclass(slots=True, frozen=True)
class _Standing:
    """What stays the same for all holds of an identity within a window."""

    identity: Identity
    meters: Meters
    keys: Keys
    fixed: tuple[Argument, ...]  # versions and the key's expiry


class StoreClock:
    """Our idea of the store's clock, from its answers. `now` replaces it in tests, for both sides."""

    def __init__(self, now: Callable[[], int] | None = None) -> None:
        self._now = now
        self._offset_ms: float | None = None

    def learn(self, store_ms: int) -> None:
        self._offset_ms = store_ms - time.monotonic() * 1000

    def now_ms(self) -> int:
        """Unix milliseconds by the store's clock, as far as we know it."""
        if self._now is not None:
            return self._now()
        return int(time.time() * 1000 if self._offset_ms is None else time.monotonic() * 1000 + self._offset_ms)

    def argument(self) -> str:
        """What Lua steps take for now: empty, so that they ask the store."""
        return "" if self._now is None else str(self._now())

    def latest(self) -> Argument:
        """The last moment at which a step sent now may still run."""
        return "" if self._offset_ms is None else self.now_ms() + LATE_MS


class Holds:
    """Asks hold.lua. Raises StoreAway where the store cannot be asked or has ended the hold."""

    def __init__(self, store: Store, places: Places, clock: StoreClock) -> None:
        self._store = store
        self._places = places
        self._clock = clock
        self._standings: OrderedDict[str, _Standing] = OrderedDict()

    def meters(self, identity: Identity, moment_ms: int, model: str) -> Meters:
        """The limits that bind a request of that moment, served by that model."""
        return self._standing(identity, moment_ms, model).meters

    async def take(self, request: HoldRequest, created_ms: int | None, generation: int | None = None) -> Outcome:
        """State the claims of a request. `created_ms` is set where it was held before."""
        if not request.identity.is_valid(self._clock.now_ms() / 1000):
            return Revoked()
        moment = self._clock.now_ms() if created_ms is None else created_ms
        for _ in range(_ATTEMPTS):
            standing = self._standing(request.identity, moment, request.model)
            arguments = self._arguments(request, standing, created_ms)
            reply = await self._store.script("hold", standing.keys, arguments, generation)
            self._clock.learn(reply[1])
            word = reply[0]
            if word == b"HELD":
                rates = _rates(standing.meters, reply[4:], reply[1]) if len(reply) > 4 else ()
                return Held(reply[2], reply[3], rates)
            if word == b"WINDOW":
                moment = reply[2]
            elif word == b"LATE":
                moment = self._clock.now_ms() if created_ms is None else created_ms
            else:
                return self._refusal(word, reply, request, standing)
        raise StoreAway("The accounting store's clock does not stand still.", retry_after=1.0)

    def _refusal(self, word: bytes, reply: Reply, request: HoldRequest, standing: _Standing) -> Outcome:
        if word == b"REFUSED":
            return _refused(reply, standing.meters)
        if word == b"REVOKED":
            return Revoked()
        if word == b"STALE":
            return self._stale(reply, request.identity)
        raise HoldEnded("The request's reservation has ended.", retry_after=1.0)

    def _stale(self, reply: Reply, known: Identity) -> Stale | Revoked:
        _, now_ms, organization, project, key = reply
        if organization is None:  # an empty store revokes nobody
            self._store.suspect()
            raise StoreAway("The accounting store has lost its records.", retry_after=5.0)
        if project is None or key is None:
            return Revoked()
        fresh = Identity(_decode_organization(organization), _decode_project(project), _decode_key(key), known.key_hash)
        return Stale(fresh) if fresh.is_valid(now_ms / 1000) else Revoked()

    def _standing(self, identity: Identity, moment_ms: int, model: str) -> _Standing:
        place = identity.key_hash
        if model in identity.limited_models:
            place += model
        found = self._standings.get(place)
        if found is not None and found.identity is identity and found.meters.covers(moment_ms):
            return found
        expires_at = identity.key.expires_at
        fixed: tuple[Argument, ...] = (
            identity.organization.version,
            identity.project.version,
            identity.key.version,
            "" if expires_at is None else expires_at * 1000,
        )
        meters = meters_for(identity, moment_ms, model, zone=self._places.layout.zone)
        found = _Standing(identity, meters, self._places.hold(identity), fixed)
        self._standings[place] = found
        self._standings.move_to_end(place)
        if len(self._standings) > _REMEMBERED:
            self._standings.popitem(last=False)
        return found

    def _arguments(self, request: HoldRequest, standing: _Standing, created_ms: int | None) -> list[Argument]:
        project_id, key_id = request.identity.project.id, request.identity.key.id
        rolled_up = self._places.declared(request.tags)
        return [
            request.id,
            self._clock.argument(),
            self._clock.latest(),
            LEASE_MS,
            "" if created_ms is None else created_ms,
            *standing.fixed,
            request.choices,
            request.prompt_tokens,
            request.max_tokens,
            request.min_tokens,
            dearest_input(request.price),
            request.price.output_nano_per_mtok,
            standing.meters.packed,
            rollup_name(project_id, key_id, request.model),
            _encode_carry(_carry(request, rolled_up)),
            standing.meters.rates,
            request.spent_nano,
            request.spent_neurons_nano,
            *request.neuron_rates,
            packed_tags(request.tags, rolled_up),
        ]


def _refused(reply: Reply, meters: Meters) -> Refused:
    _, now_ms, number, used, held, needed, wait_ms, *standings = reply
    scope, meter = meters.limited[number - 1]
    resets_at, retry_after = meter.resets_at, None
    if meter.slot_ms is not None and wait_ms > 0:
        resets_at, retry_after = -(-(now_ms + wait_ms) // 1000), wait_ms / 1000
    return Refused(
        scope=SCOPES[scope - 1],
        kind=meter.kind,
        window=meter.window.name,
        limit=meter.limit,
        used=used,
        held=held,
        resets_at=resets_at,
        needed=needed,
        retry_after=retry_after,
        rates=_rates(meters, standings, now_ms),
        model=meter.model,
    )


def _rates(meters: Meters, standings: Sequence[int], now_ms: int) -> tuple[Rate, ...]:
    """What hold.lua says of tokens and requests: meter, remaining, ms until nothing is used, for each."""
    found = []
    for number, remaining, reset_ms in zip(standings[::3], standings[1::3], standings[2::3], strict=True):
        meter = meters.limited[number - 1][1]
        is_calendar = meter.slot_ms is None
        reset = meter.window.end_ms - now_ms if is_calendar else reset_ms
        found.append(
            Rate(meter.kind, meter.limit, remaining, None if meter.resets_at is None and is_calendar else reset)
        )
    return tuple(found)


def _carry(request: HoldRequest, rolled_up: list[str]) -> Carry:
    identity = request.identity
    return Carry(
        identity.organization.id,
        identity.project.id,
        identity.key.id,
        request.surface,
        request.requested_model,
        request.route,
        request.reason,
        request.model,
        request.price.id,
        request.price.source,
        request.upstream,
        request.stream,
        request.tags,
        rolled_up,
    )
