"""What is written out and what stays."""

import pytest

from gateway.core.unseen import UNSEEN, UNSEEN_IN_JSON


@pytest.mark.parametrize(
    "sign",
    ["\x7f", "\x9f", "\u061c", "\u200b", "\u200e", "\u200f", "\u2028", "\u202e", "\u2060", "\u2066", "\ufeff"],
)
def test_unseen_has_what_has_no_width_or_turns_the_text(sign: str) -> None:
    assert UNSEEN.search(f"a{sign}b")
    assert UNSEEN_IN_JSON.search(f"a{sign}b")


@pytest.mark.parametrize("sign", ["\x00", "\t", "\n", "\x1b", "\x1f"])
def test_unseen_in_json_leaves_out_what_json_escapes_itself(sign: str) -> None:
    assert UNSEEN.search(sign)
    assert not UNSEEN_IN_JSON.search(sign)


@pytest.mark.parametrize("text", ["team a", "Grüße", "می\u200cخواهم", "👩\u200d💻", "\u200a\u2010"])
def test_unseen_is_nothing_that_is_written(text: str) -> None:
    assert not UNSEEN.search(text)
