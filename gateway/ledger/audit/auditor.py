"""The check that never ends: a portion of the books every few seconds, by one worker of all at a time.

Who holds the lease in the store does the work; what is known of the books lies there as well, so that every worker can
show it and the next one goes on where the last one stopped. It also trims rows past their time (trimming.py) and, at
the end of a pass, counters of days long past (pruning.py). It repairs nothing: that is a person's decision.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.core.errors import RecordUnreadable, StoreAway
from gateway.ledger.audit.reading import read_hash
from gateway.ledger.audit.trimming import Trimmer
from gateway.ledger.audit.verification import Assignment, Portion, Verifier
from gateway.store.contract import Store
from gateway.store.layout import Layout
from gateway.store.lease import Lease

ROUND_SECONDS: Final = 10.0
ROWS_PER_ROUND: Final = 5_000  # about 50 ms of a worker's time, in slices of a millisecond
LEASE_MS: Final = 60_000  # longer than a round; another worker takes over a minute after the last one died
_SHOWN: Final = 20  # findings logged per round

_log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class Standing:
    """What is known of the books. `drift` counts the findings of the last whole pass or, if more, of this one."""

    drift: int = 0
    verified_at: int = 0  # unix seconds at which the last pass without any finding ended; 0: none yet
    finished_at: int = 0  # the same of the last pass
    cursor: str = ""
    found: int = 0  # findings of the pass under way

    @classmethod
    def read(cls, found: dict[str, bytes]) -> "Standing":
        """As it lies in the store."""
        numbers = {name: int(found.get(name, b"0")) for name in ("drift", "verified_at", "finished_at", "found")}
        return cls(cursor=found.get("cursor", b"").decode(), **numbers)

    def after(self, portion: Portion) -> "Standing":
        """What is known once a portion was looked at."""
        found = self.found + len(portion.findings)
        if portion.cursor is not None:
            return Standing(max(self.drift, found), self.verified_at, self.finished_at, portion.cursor, found)
        return Standing(found, self.verified_at if found else portion.until, portion.until)


async def read_standing(store: Store, layout: Layout) -> Standing:
    """What the workers together know of the books."""
    return Standing.read(await read_hash(store, layout.shared("verification")))


class Auditor:
    """One worker's part in the continuous check. `name` tells it from the others; `report` hears of every round."""

    def __init__(
        self,
        store: Store,
        layout: Layout,
        verifier: Verifier,
        name: str,
        report: Callable[[Standing], None],
        trimmer: Trimmer | None = None,
    ) -> None:
        self._trimmer = trimmer
        self._store = store
        self._layout = layout
        self._verifier = verifier
        self._lease = Lease(store, layout.shared("verification_lease"), name, LEASE_MS)
        self._report = report

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self.round()
            except StoreAway as error:
                _log.info("the check of the books waits for the store: %s", error.message)
            except OSError as error:  # rows stay until they can be exported
                _log.error("rows past their time cannot be exported: %s", error)
            except (RecordUnreadable, ValueError, msgspec.MsgspecError):  # worth a line each time, no reason to stop
                _log.exception("the books could not be checked")

    async def round(self) -> bool:
        """Look at the next portion if nobody else does; whether this worker did."""
        is_mine = await self._lease.hold()  # should it run out meanwhile, two look at the same rows
        standing = await read_standing(self._store, self._layout)
        if is_mine and self._trimmer is not None and await self._trimmer.round():
            _log.info("rows past their time were exported and trimmed, %d so far", self._trimmer.trimmed)
        if is_mine:
            portion = await self._verifier.portion(Assignment(cursor=standing.cursor or None, rows=ROWS_PER_ROUND))
            standing = standing.after(portion)
            await self._keep(standing)
            if portion.cursor is None:
                await self._verifier.prune(portion.until)
            for finding in portion.findings[:_SHOWN]:
                _log.warning(
                    "the books do not agree (%s): %s %s should be %s, is %s; see `gateway verify`",
                    finding.check, finding.place, finding.subject, finding.expected, finding.found,
                )  # fmt: skip
        self._report(standing)
        return is_mine

    async def _keep(self, standing: Standing) -> None:
        await self._store.command(
            "HSET", self._layout.shared("verification"),
            "drift", standing.drift, "verified_at", standing.verified_at, "finished_at", standing.finished_at,
            "cursor", standing.cursor, "found", standing.found,
        )  # fmt: skip
