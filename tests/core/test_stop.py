"""Stop strings: exact at any slicing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.stop import StopCutter, cut_at_stop

CASES = [
    ("hello", (), "hello", False),
    ("hello", ("",), "hello", False),
    ("hello", ("l",), "he", True),
    ("hello", ("lo", "l"), "he", True),
    ("abcdef", ("bcde", "cd"), "ab", True),  # cd is complete first
    ("abcd", ("d", "bcd"), "a", True),  # complete together: the longer began first
    ("aaab", ("aab",), "a", True),
    ("end\n\n", ("\n\n",), "end", True),
    ("caf\u00e9 \U0001f30d!", ("\u00e9 \U0001f30d",), "caf", True),
    ("stop", ("stopped",), "stop", False),
]


def slices(text: str, stop: tuple[str, ...], size: int) -> tuple[str, bool]:
    cutter = StopCutter(stop)
    shown = ""
    for at in range(0, len(text), size):
        piece, is_hit = cutter.feed(text[at : at + size])
        shown += piece
        if is_hit:
            return shown, True
    return shown + cutter.close(), False


@pytest.mark.parametrize(("text", "stop", "shown", "is_hit"), CASES)
def test_cut_text_at_any_slicing_ends_before_the_stop(
    text: str, stop: tuple[str, ...], shown: str, is_hit: bool
) -> None:
    assert cut_at_stop(text, stop) == (shown, is_hit)
    for size in range(1, len(text) + 1):
        assert slices(text, stop, size) == (shown, is_hit)


@given(
    st.text("ab", max_size=30),
    st.lists(st.text("ab", min_size=1, max_size=6), max_size=4).map(tuple),
    st.integers(1, 7),
)
def test_cutter_any_slicing_gives_the_cut_of_the_whole(text: str, stop: tuple[str, ...], size: int) -> None:
    shown, is_hit = cut_at_stop(text, stop)
    assert slices(text, stop, size) == (shown, is_hit)
    assert not any(string in shown for string in stop)


def test_cutter_shows_at_once_what_cannot_begin_a_stop() -> None:
    cutter = StopCutter(("\n\n",))
    assert cutter.feed("hello") == ("hello", False)
    assert cutter.feed(" you\n") == (" you", False)
    assert cutter.feed("there") == ("\nthere", False)
