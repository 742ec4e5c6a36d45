"""Stop strings, emulated: the upstream has none, so generated text is cut here.

Decides what text may be shown: nothing of a stop string ever is, and text that may be the beginning of one waits.
The string that is complete first wins; of two that are complete at the same character, the one that began first.
Works on characters, so a cut of the network inside one cannot matter.
"""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class _Hit:
    end: int
    start: int


def cut_at_stop(text: str, stop: tuple[str, ...]) -> tuple[str, bool]:
    """`text` up to the first stop string, and whether there was one."""
    hit = _first_hit(text, stop)
    return (text[: hit.start], True) if hit else (text, False)


class StopCutter:
    """The same over a text that arrives in pieces; every slicing gives the same text."""

    __slots__ = ("_held", "_stop")

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = tuple(string for string in stop if string)
        self._held = ""  # always a proper beginning of a stop string, so no hit can begin before it

    def feed(self, piece: str) -> tuple[str, bool]:
        """Text that may be shown now, and whether a stop string was met; then the cutter is done."""
        text = self._held + piece
        hit = _first_hit(text, self._stop)
        if hit:
            self._held = ""
            return text[: hit.start], True
        keep = self._beginning_at_end(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def close(self) -> str:
        """Text that waited for more and now is just text."""
        held, self._held = self._held, ""
        return held

    def _beginning_at_end(self, text: str) -> int:
        """Length of the longest end of `text` with which a stop string begins."""
        longest = 0
        for string in self._stop:
            at = text.find(string[0], max(0, len(text) - len(string) + 1))
            while at >= 0:
                if string.startswith(text[at:]):
                    longest = max(longest, len(text) - at)
                    break
                at = text.find(string[0], at + 1)
        return longest


def _first_hit(text: str, stop: tuple[str, ...]) -> _Hit | None:
    first: _Hit | None = None
    for string in stop:
        start = text.find(string) if string else -1
        if start >= 0:
            hit = _Hit(start + len(string), start)
            if first is None or (hit.end, hit.start) < (first.end, first.start):
                first = hit
    return first
