"""Framing and slicing of event bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.streams import Event
from gateway.simulator.switches import Switches, resolve
from gateway.simulator.wire import Slicer, error_event, frames

EVENTS = [Event(b'{"response":"a"}', "a"), Event(b'{"response":"b"}', "b")]


def bytes_of(ending: str = "done", **switches: object) -> bytes:
    return b"".join(frame.data for frame in frames(iter(EVENTS), resolve(switches), ending))


def test_frames_are_data_lines_with_an_end_mark() -> None:
    assert bytes_of() == b'data: {"response":"a"}\n\ndata: {"response":"b"}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("ending", "tail"),
    [
        ("bare", b"\n\n[DONE]\n"),
        ("missing", b'"b"}\n\n'),
        ("no_blank", b"data: [DONE]\n"),
        ("no_newline", b"data: [DONE]"),
    ],
)
def test_frames_end_as_asked(ending: str, tail: bytes) -> None:
    assert bytes_of(ending).endswith(tail)


def test_frames_use_other_line_ends_and_no_space() -> None:
    assert bytes_of("missing", newline="crlf", space=False).startswith(b'data:{"response":"a"}\r\n\r\ndata:')
    assert b"\n" not in bytes_of(newline="cr")


def test_frames_have_comments_between() -> None:
    assert bytes_of(comment_every=2).count(b": simulated comment\n\n") == 1


@given(st.binary(min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 60))
def test_slicer_every_n_bytes_loses_nothing(data: bytes, every: int, border: int) -> None:
    slicer = Slicer(Switches(slice_every=every))
    parts = slicer.cut(data[:border]) + slicer.cut(data[border:])
    assert b"".join(parts) == data
    assert all(len(part) <= every for part in parts)


def test_slicer_cuts_at_positions_of_the_whole_stream() -> None:
    slicer = Slicer(Switches(slice_at="2,5"))
    assert slicer.cut(b"abc") == [b"ab", b"c"]
    assert slicer.cut(b"defg") == [b"de", b"fg"]


def test_error_event_is_an_envelope() -> None:
    assert error_event(Switches()) == b'data: {"success":false,"errors":[{"message":"overloaded"}]}\n\n'
