"""What a check found: one place where the books do not agree, and the rule by which a difference counts as one.

The ledger goes on working while it is checked. A difference that is only a request on its way differs from itself a
moment later, or is gone; one that stays the same to the last digit is there. Pure; asks no store.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

Check = Literal["rows", "rollups", "counters", "held", "orphans", "index", "opening"]
"""rows ≠ the hour's roll-up · hours ≠ the day's roll-ups · days ≠ counters · holds ≠ held counters · a hold nobody
renews or ends · a row its index lost, or the reverse · trimmed rows ≠ the roll-ups of their time."""


class Finding(msgspec.Struct, frozen=True):
    """`expected` and `found` are of the field `subject` of the store's key `place`: eight sums, or one amount."""

    check: Check
    place: str
    subject: str
    expected: tuple[int, ...] = ()
    found: tuple[int, ...] = ()
    created_ms: int = 0  # of the row in question, where there is one

    @property
    def difference(self) -> tuple[int, ...]:
        """What is missing at the place; negative where it has too much."""
        return tuple(a - b for a, b in zip(self.expected, self.found, strict=True))


def agreeing(earlier: Sequence[Finding], later: Sequence[Finding]) -> list[Finding]:
    """The later findings that the earlier look had, too, with the same difference."""
    known = {(each.check, each.place, each.subject, each.difference) for each in earlier}
    return [each for each in later if (each.check, each.place, each.subject, each.difference) in known]
