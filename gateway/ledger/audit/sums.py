"""The eight sums of a roll-up field as a value: parse, add, subtract, write. Pure arithmetic; knows no store.

In their order: requests, prompt, completion, cached tokens, cost (nano-dollars), neurons (nano), failed, client gone.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.core.errors import RecordUnreadable
from gateway.core.limits import Kind

Sums = tuple[int, ...]

ZERO: Sums = (0,) * 8


def parse_sums(value: bytes | None) -> Sums:
    """A field as it lies in the store; nothing there is zero. Raises RecordUnreadable for anything else."""
    if value is None:
        return ZERO
    try:
        found = tuple(int(part) for part in value.split())
    except ValueError:
        found = ()
    if len(found) == len(ZERO) - 1:  # written before the last sum was counted
        found += (0,)
    if len(found) != len(ZERO):
        raise RecordUnreadable(f"The store holds {value[:80]!r} where the sums of a roll-up should be.")
    return found


def write_sums(sums: Sums) -> str:
    """The field's text."""
    return " ".join(map(str, sums))


def plus(left: Sums, right: Sums) -> Sums:
    """Both together."""
    return tuple(a + b for a, b in zip(left, right, strict=True))


def add_up(many: Iterable[Sums]) -> Sums:
    """All of them together."""
    total = ZERO
    for each in many:
        total = plus(total, each)
    return total


def amount(sums: Sums, kind: Kind) -> int:
    """What a counter of this kind counts of it."""
    return sums[1] + sums[2] if kind == "tokens" else sums[_PLACES[kind]]


_PLACES: Final[Mapping[Kind, int]] = {"requests": 0, "money": 4, "neurons": 5}
