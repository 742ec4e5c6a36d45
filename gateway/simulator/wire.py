"""Frames events as server-sent-event bytes with the upstream's irregularities, and cuts them where asked. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from gateway.simulator.streams import Event
from gateway.simulator.switches import Switches

_NEWLINES = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}


@dataclass(slots=True, frozen=True)
class Frame:
    """The bytes of one event, or of the end mark, whose `is_event` is false."""

    data: bytes
    text: str = ""
    reports_usage: bool = False
    is_event: bool = True


def frames(events: Iterator[Event], switches: Switches, ending: str) -> Iterator[Frame]:
    """Framed events and the end mark, in order."""
    newline = _NEWLINES[switches.newline]
    prefix = b"data: " if switches.space else b"data:"
    every = switches.comment_every
    for number, event in enumerate(events, start=1):
        comment = b": simulated comment" + newline + newline if every and number % every == 0 else b""
        data = comment + prefix + event.data + newline + newline
        yield Frame(data, event.text, event.reports_usage)
    mark = _end_mark(ending, prefix, newline)
    if mark:
        yield Frame(mark, is_event=False)


def _end_mark(ending: str, prefix: bytes, newline: bytes) -> bytes:
    done = prefix + b"[DONE]"
    marks = {
        "done": done + newline + newline,
        "bare": b"[DONE]" + newline,
        "missing": b"",
        "no_blank": done + newline,
        "no_newline": done,
    }
    return marks[ending]


def error_event(switches: Switches) -> bytes:
    """The event a stream may carry instead of its rest."""
    message = switches.message or "overloaded"
    data = msgspec.json.encode({"success": False, "errors": [{"message": message}]})
    return b"data: " + data + _NEWLINES[switches.newline] * 2


class Slicer:
    """Cuts a byte stream where `slice_every` and `slice_at` say."""

    def __init__(self, switches: Switches) -> None:
        self._position = 0
        self._every = switches.slice_every
        self._places = [int(part) for part in switches.slice_at.split(",") if part]

    def cut(self, data: bytes) -> list[bytes]:
        """The next bytes of the stream in slices."""
        start, end = self._position, self._position + len(data)
        self._position = end
        places = {place for place in self._places if start < place < end}
        if self._every is not None:
            places.update(range((start // self._every + 1) * self._every, end, self._every))
        edges = [start, *sorted(places), end]
        return [data[left - start : right - start] for left, right in pairwise(edges) if right > left]
