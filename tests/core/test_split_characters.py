"""Halves of characters: marked, joined, and never invented."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.split_characters import Joiner, mark

texts = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFFF))


def joined(pieces: list[bytes]) -> str:
    joiner = Joiner()
    return "".join(joiner.feed(json.loads(mark(piece))) for piece in pieces) + joiner.close()


@given(texts, st.lists(st.integers(0, 200), max_size=5))
def test_joiner_bytes_cut_anywhere_give_the_text(text: str, cuts: list[int]) -> None:
    data = "".join(character for character in text if character >= " " and character not in '"\\').encode()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [b'"' + data[start:end] + b'"' for start, end in itertools.pairwise(edges)]
    assert joined(pieces) == data.decode()


@given(texts)
def test_joiner_utf16_halves_give_the_text(text: str) -> None:
    units = text.encode("utf-16-be")
    pieces = [b'"\\u%04x"' % int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    assert joined(pieces) == text


@given(texts)
def test_mark_whole_json_is_unchanged(text: str) -> None:
    for escaped in (True, False):
        data = json.dumps(text, ensure_ascii=escaped).encode()
        assert mark(data) == data


def test_joiner_halves_that_stay_alone_become_replacement_characters() -> None:
    cases = {
        b'"\\ud83c x"': "\ufffd x",
        b'"\\udf0d"': "\ufffd",
        b'"\\ud83c\\ud83c\\udf0d"': "\ufffd\U0001f30d",
        b'"\\ud83c\xf0\x9f\x8c\x8d"': "\ufffd\U0001f30d",
        b'"\\ud83c\xf0\x9f\xff"': "\ufffd\ufffd\ufffd",
        b'"\xf0\x9f\\ud83c\\u0041"': "\ufffd\ufffdA",
        b'"\xf0\x9f x"': "\ufffd x",
        b'"\xf0\x9f"': "\ufffd",
        b'"\\ud83c"': "\ufffd",
        b'"a"': "a",
    }
    for data, text in cases.items():
        assert joined([data]) == text
