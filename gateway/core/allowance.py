"""What a worker may admit by itself while the store is away: its share of what, by the store's last word, limits leave.

Of every limited meter is remembered what others had used and held then; what this worker has admitted since is added.
Nobody else's use is seen meanwhile, so each worker keeps to a share, and the shares of one replica's workers add up to
what was left. Places for concurrent requests are shared out anew: what others held then has ended long before an
absence has. Decides amounts only; a limit of which there is no last word admits nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from gateway.core.limits import SLOTS, Kind, Meter

Amounts = Mapping[Kind, int]
Place = tuple[str, str, str]
"""The scope's name in the store, the kind, the meter's name."""
Slot = int | str
"""Where in a window something is counted: a rolling window's slot, a calendar window's label."""

_MOST_SLOTS = 4 * SLOTS  # of one table; older ones than any window has go then


@dataclass(slots=True, frozen=True)
class Metered:
    """A limited meter of a request and where it is counted."""

    scope: int  # 1 organisation, 2 project, 3 key
    scope_name: str
    meter: Meter

    @property
    def place(self) -> Place:
        return self.scope_name, self.meter.kind, self.meter.name

    def slot(self, moment_ms: int) -> Slot:
        """Where something of that moment is counted."""
        return self.meter.window.label if self.meter.slot_ms is None else moment_ms // self.meter.slot_ms

    def counts(self, slot: Slot, moment_ms: int) -> bool:
        """Whether what stands in `slot` is part of the window at that moment."""
        if isinstance(slot, str) or self.meter.slot_ms is None:
            return slot == self.meter.window.label
        return slot >= moment_ms // self.meter.slot_ms - SLOTS


@dataclass(slots=True, frozen=True)
class Share:
    """Which part of what is left is this worker's: its number (from 0) among the workers of the replica."""

    number: int = 0
    workers: int = 1

    def of(self, amount: int) -> int:
        """This worker's part; the parts of all workers add up to `amount`."""
        number = self.number % self.workers
        return amount * (number + 1) // self.workers - amount * number // self.workers


@dataclass(slots=True, frozen=True)
class Shortage:
    """A limit is in the way. `used` is what is known of all use; `is_final`: even all that was left would not do."""

    metered: Metered
    used: int
    needed: int
    is_final: bool


class _Table:
    """Amounts by place and slot."""

    def __init__(self) -> None:
        self.places: dict[Place, dict[Slot, int]] = {}

    def add(self, place: Place, slot: Slot, amount: int) -> None:
        slots = self.places.setdefault(place, {})
        slots[slot] = slots.get(slot, 0) + amount
        if isinstance(slot, int) and len(slots) > _MOST_SLOTS:
            for old in [each for each in slots if isinstance(each, int) and each < slot - SLOTS]:
                del slots[old]

    def sum(self, metered: Metered, moment_ms: int) -> int:
        slots = self.places.get(metered.place, {})
        return sum(amount for slot, amount in slots.items() if metered.counts(slot, moment_ms))

    def merge(self, other: "_Table") -> None:
        for place, slots in other.places.items():
            for slot, amount in slots.items():
                self.add(place, slot, amount)


@dataclass(slots=True)
class _Claim:
    """What a request of this worker may use, and where that counts."""

    counted: tuple[tuple[Place, Slot, Kind], ...]
    amounts: Amounts


@dataclass(slots=True)
class Allowances:
    """What is known of the limits of the keys that may go on without the store."""

    share: Share = field(default_factory=Share)
    _others: dict[Place, dict[Slot, int]] = field(default_factory=dict)  # the last word, without our live claims
    _live: dict[str, _Claim] = field(default_factory=dict)
    _held: _Table = field(default_factory=_Table)  # the sums of `_live`
    _ended: _Table = field(default_factory=_Table)  # used by requests that ended since the last word was asked for
    _asked: _Table = field(default_factory=_Table)  # likewise before it was, until it comes
    _asked_live: frozenset[str] = frozenset()

    def claim(self, name: str, metered: Iterable[Metered], amounts: Amounts, moment_ms: int) -> None:
        """A request was admitted, or its claim restated, for so much."""
        self._drop(name)
        counted = tuple((each.place, each.slot(moment_ms), each.meter.kind) for each in metered)
        self._live[name] = _Claim(counted, amounts)
        for place, slot, kind in counted:
            self._held.add(place, slot, amounts[kind])

    def knows(self, name: str) -> bool:
        """Whether a request is claimed here."""
        return name in self._live

    def end(self, name: str, used: Amounts) -> None:
        """A request has ended and used so much; nothing where it is not known here."""
        claim = self._drop(name)
        if claim is not None:
            for place, slot, kind in claim.counted:
                self._ended.add(place, slot, used.get(kind, 0))

    def grant(
        self, name: str, metered: tuple[Metered, ...], amounts: Callable[[int], Amounts], outputs: tuple[int, int],
        moment_ms: int,
    ) -> int | Shortage | None:  # fmt: skip
        """Output tokens granted, from the first of `outputs` down to the second, and claimed; or what is in the way.

        None where nothing is known of one of the limits. `amounts` tells what so much output claims.
        """
        if any(each.place not in self._others for each in metered if each.meter.kind != "concurrency"):
            return None
        before = self._drop(name)
        wanted, least = outputs
        low, high = min(least, wanted), wanted
        if self._obstacle(metered, amounts(high), moment_ms) is not None:
            obstacle = self._obstacle(metered, amounts(low), moment_ms)
            if obstacle is not None:
                self._take_back(name, before)
                return obstacle
            while high - low > 1:  # low fits, high does not
                middle = (low + high) // 2
                fits = self._obstacle(metered, amounts(middle), moment_ms) is None
                low, high = (middle, high) if fits else (low, middle)
            wanted = low
        self.claim(name, metered, amounts(wanted), moment_ms)
        return wanted

    def ask(self) -> None:
        """The store is being asked for its word: what has ended until now will be part of it."""
        self._asked.merge(self._ended)
        self._ended = _Table()
        self._asked_live = frozenset(self._live)

    def learn(self, words: Mapping[Place, Mapping[Slot, int]]) -> None:
        """The store's word, used and held together. What it says of our own live requests is ours, not others'."""
        self._asked = _Table()
        others = {place: dict(slots) for place, slots in words.items()}
        for name in self._asked_live & self._live.keys():
            claim = self._live[name]
            for place, slot, kind in claim.counted:
                known = others.get(place, {})
                if slot in known:
                    known[slot] = max(0, known[slot] - claim.amounts[kind])
        self._others = others
        self._ended.places = {place: slots for place, slots in self._ended.places.items() if place in others}
        self._held = _Table()
        for claim in self._live.values():
            for place, slot, kind in claim.counted:
                self._held.add(place, slot, claim.amounts[kind])

    def _obstacle(self, metered: tuple[Metered, ...], wanted: Amounts, moment_ms: int) -> Shortage | None:
        for each in metered:
            known = 0
            if each.meter.kind != "concurrency":
                slots = self._others[each.place].items()
                known = sum(amount for slot, amount in slots if each.counts(slot, moment_ms))
            own = sum(table.sum(each, moment_ms) for table in (self._held, self._ended, self._asked))
            needed, left = wanted[each.meter.kind], max(0, each.meter.limit - known)
            if needed > self.share.of(left) - own:
                return Shortage(each, known + own, needed, is_final=needed > left - own)
        return None

    def _drop(self, name: str) -> _Claim | None:
        claim = self._live.pop(name, None)
        if claim is not None:
            for place, slot, kind in claim.counted:
                self._held.add(place, slot, -claim.amounts[kind])
        return claim

    def _take_back(self, name: str, claim: _Claim | None) -> None:
        if claim is not None:
            self._live[name] = claim
            for place, slot, kind in claim.counted:
                self._held.add(place, slot, claim.amounts[kind])
