"""How a table fits a terminal: which columns are left out, how wide the others are. Words and numbers are never broken.

Pure arithmetic; it prints nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from rich.cells import cell_len

_GAP: Final = 2  # blanks between two columns


class Fitted(msgspec.Struct, frozen=True):
    """The columns that are shown, by number, in order, and how wide each is."""

    shown: Sequence[int]
    widths: Sequence[int]

    @property
    def total(self) -> int:
        """How wide the table is. More than there is room for only where what is never left out needs it."""
        return _total(self.widths)


def fit(ranks: Sequence[int], rows: Sequence[Sequence[str]], room: int) -> Fitted:
    """Choose for a terminal of `room` columns. Of the table's own, those of the highest rank are left out first, those
    of rank 0 never. `rows` begin with the headings. Texts may go over several lines, at their blanks.
    """
    cells = [[row[number] for row in rows] for number in range(len(ranks))]
    full = [max(map(cell_len, each)) for each in cells]
    least = [max(map(_least, each)) for each in cells]
    ranked = sorted(range(len(ranks)), key=lambda number: ranks[number])
    shown: list[int] = []
    for number in ranked:
        if not ranks[number] or _total(least[each] for each in (*shown, number)) <= room:
            shown.append(number)
    shown.sort()
    widths = {number: full[number] for number in shown}
    for number in sorted(shown, key=lambda number: least[number] - full[number]):
        excess = max(0, _total(widths.values()) - room)
        widths[number] = max(least[number], full[number] - excess)
    return Fitted(shown, [widths[number] for number in shown])


def _least(cell: str) -> int:
    """How wide a cell is where it is broken at every blank; a number or a moment is broken nowhere."""
    if cell[:1].isdecimal():
        return cell_len(cell)
    return max(map(cell_len, cell.split()), default=0)


def _total(widths: Iterable[int]) -> int:
    given = list(widths)
    return sum(given) + _GAP * max(0, len(given) - 1)
