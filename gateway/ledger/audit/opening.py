"""The opening balance: what trimmed rows added up to, by roll-up name, and how it is held against their time.

`opening` keeps the sums, `opening_state` how far trimming has come: `cut`, the hour (unix seconds of its start) up to
which rows may be gone, and `pending`, ids whose sums are in the balance already while their rows may still be there.
Never writes; trimming does.
"""

from dataclasses import dataclass

import msgspec

from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.reading import read_hash, read_table, walk_rows
from gateway.ledger.audit.row_check import HOUR, Look, RowSums
from gateway.ledger.audit.sums import ZERO, Sums, plus
from gateway.store.contract import Store
from gateway.store.layout import Layout

_DAY = 86_400

_decode_ids = msgspec.json.Decoder(list[str]).decode


@dataclass(slots=True, frozen=True)
class OpeningState:
    """How far trimming has come. `cut` is None before the first."""

    cut: int | None = None
    pending: tuple[str, ...] = ()
    version: int = 0
    rows: int = 0

    def covers(self, hour: int) -> bool:
        """Whether rows of this hour may have been trimmed."""
        return self.cut is not None and hour <= self.cut


async def read_state(store: Store, layout: Layout) -> OpeningState:
    """The state in the store; the beginning where there is none."""
    found = await read_hash(store, layout.shared("opening_state"))
    if not found:
        return OpeningState()
    return OpeningState(
        int(found["cut"]), tuple(_decode_ids(found["pending"])), int(found["version"]), int(found["rows"])
    )


async def check_opening(store: Store, layout: Layout, first_day: int) -> Look:
    """One look at whether the balance and the rows left are what the roll-ups up to the cut say."""
    state = await read_state(store, layout)
    if state.cut is None:
        return Look()
    sums = RowSums()
    async for entries in walk_rows(store, layout, 0, (state.cut + HOUR) * 1000):
        for entry in entries:
            if entry.id not in state.pending:
                sums.add(layout.rows(), entry)
    key = layout.shared("opening")
    expected = sums.by_name
    for name, balance in (await read_table(store, key)).items():
        expected[name] = plus(expected.get(name, ZERO), balance)
    said = await _rolled_up(store, layout, first_day, state.cut)
    look = Look(sums.findings, rows=sums.rows)
    if await read_state(store, layout) != state:
        return Look(moving=1)
    for name in sorted(expected.keys() | said.keys()):
        wanted, found = expected.get(name, ZERO), said.get(name, ZERO)
        if wanted != found:
            look.findings.append(Finding("opening", key, name, wanted, found))
    return look


async def _rolled_up(store: Store, layout: Layout, first_day: int, cut: int) -> dict[str, Sums]:
    """By name, the roll-ups of all whole days before the cut's and of its own day's hours up to it."""
    last_day = cut - cut % _DAY
    keys = [layout.shared("use", "d", day) for day in range(first_day, last_day, _DAY)]
    keys += [layout.shared("use", "h", hour) for hour in range(last_day, cut + 1, HOUR)]
    found: dict[str, Sums] = {}
    for key in keys:
        for name, sums in (await read_table(store, key)).items():
            found[name] = plus(found.get(name, ZERO), sums)
    return found
