"""What dispatch says to the ledger and hears from it."""

from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.catalog import Price
from gateway.core.errors import StoreAway
from gateway.core.rates import Rate
from gateway.core.receipt import Receipt
from gateway.core.records import Identity


@dataclass(slots=True)
class HoldRequest:
    """The absolute claims of one request. Repeating it with the same `id` restates them.

    Claimed are `choices` × (prompt + max_tokens) tokens and their price; if the whole does not fit, less output is
    granted, never below min(`min_tokens`, `max_tokens`).
    """

    id: str
    identity: Identity
    model: str
    requested_model: str
    route: str
    surface: str
    prompt_tokens: int
    max_tokens: int
    min_tokens: int
    choices: int
    price: Price
    stream: bool = False
    upstream: str = ""
    reason: str = ""
    spent_nano: int = 0  # already owed by earlier attempts of this request; claimed on top
    spent_neurons_nano: int = 0  # likewise
    neuron_rates: tuple[int, int] = (0, 0)  # per million input and output tokens; zeros where they are not known
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Held:
    """Granted. `created_ms` is the store's clock; `max_tokens` is per choice and may be less than asked."""

    created_ms: int
    max_tokens: int
    rates: tuple[Rate, ...] = ()  # of limited tokens and requests


@dataclass(slots=True, frozen=True)
class Refused:
    """A limit is in the way. Amounts are in the kind's unit (nano-dollars for money); `resets_at` is unix seconds.

    `needed` is the least this request can do with. Of a rolling window `retry_after` says in how many seconds that fits
    if nothing else happens.
    """

    scope: str  # "organization", "project" or "key"
    kind: str  # core.limits.Kind
    window: str  # core.limits.WindowName
    limit: int
    used: int
    held: int
    resets_at: int | None
    needed: int = 0
    retry_after: float | None = None
    rates: tuple[Rate, ...] = ()
    model: str | None = None  # the limit is this model's alone: another one may still serve


@dataclass(slots=True, frozen=True)
class Stale:
    """The records changed since they were cached: here are the fresh ones. Plan again, once."""

    identity: Identity


@dataclass(slots=True, frozen=True)
class Revoked:
    """The key or its project stands for nobody any more."""


class HoldEnded(StoreAway):
    """The hold cannot be restated: it was settled, or its lease ran out and it is booked as an estimate."""


class Ledger(Protocol):
    """Implemented by `gateway.ledger`; one per worker."""

    async def hold(self, request: HoldRequest) -> Held | Refused | Stale | Revoked:
        """Reserve or restate. Raises `core.errors.StoreAway` when the store does not answer in time."""
        ...

    async def rates(self, identity: Identity) -> tuple[Rate, ...]:
        """How limited tokens and requests of an identity stand; nothing while the store is away."""
        ...

    def settle(self, receipt: Receipt) -> None:
        """Append the receipt to the spool with one write; the store follows asynchronously. Never blocks, never lost.

        Also gives back a hold of a request that cost nothing (see `release`). Raises `core.errors.StoreAway` if the
        spool cannot be written.
        """
        ...

    def release(self, request_id: str, identity: Identity) -> None:
        """Give the hold back: no upstream call was answered and nothing is owed, so there is no row."""
        ...

    def has_room(self) -> bool:
        """Whether the spool can take a receipt for every request in flight plus this one."""
        ...
