"""The two readers of upstream JSON: they agree where both can read, and the lenient one reads anything."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway.upstreams.workers_ai.shapes import (
    decode_piece,
    maybe_read_usual,
    number_of,
    read_fields,
    read_piece,
    replaced_text_of,
    string_of,
    text_of,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "response",
    "choices",
    "tool_calls",
    "usage",
    "finish_reason",
    "success",
    "error",
    "delta",
    "message",
    "function",
)
ANY = st.dictionaries(st.sampled_from(NAMES), st.recursive(JSON, lambda inner: st.lists(
    st.dictionaries(st.sampled_from(NAMES), inner, max_size=3), max_size=3), max_leaves=5), max_size=5)  # fmt: skip


@given(ANY)
def test_read_piece_any_object_is_read(document: dict[str, object]) -> None:
    fields = read_fields(json.dumps(document).encode())
    assert fields is not None
    read_piece(fields)


@given(ANY)
def test_read_piece_agrees_with_the_strict_reader_about_text(document: dict[str, object]) -> None:
    data = json.dumps(document).encode()
    try:
        strict = decode_piece(data)
    except msgspec.ValidationError:
        return
    fields = read_fields(data)
    assert fields is not None
    lenient = read_piece(fields)
    assert (lenient.response, lenient.finish_reason) == (strict.response, strict.finish_reason)
    assert len(lenient.choices or ()) == len(strict.choices or ())


@pytest.mark.parametrize("data", [b"", b"[]", b"3", b"{", b"[" * 100_000, None])
def test_read_fields_anything_but_an_object_is_none(data: bytes | None) -> None:
    assert read_fields(data) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'"a"', "a"),
        (b"12", "12"),
        (b"1.50", "1.50"),
        (b"true", "true"),
        (b'{"a": 1}', '{"a": 1}'),
        (b'[{"text": "a"}, {"text": "b"}]', "ab"),
        (b"[1, 2]", "[1, 2]"),
        (b'[{"text": 3}]', '[{"text": 3}]'),
        (b"[]", "[]"),
        (b"null", None),
    ],
)
def test_text_of_keeps_the_spelling(raw: bytes, text: str | None) -> None:
    assert text_of(Raw(raw)) == text
    assert text_of(None) is None


def test_string_of_and_number_of_take_what_they_are_for() -> None:
    assert (string_of(Raw(b'"x"')), string_of(Raw(b"3")), string_of(None)) == ("x", None, None)
    found = [number_of(Raw(raw)) for raw in (b"3", b'"3.5"', b"true", b'"x"')]
    assert found == [3, 3.5, None, None]
    assert number_of(None) is None


USAGE = {"prompt_tokens": 3, "completion_tokens": 4}


@pytest.mark.parametrize(
    ("document", "is_usual"),
    [
        ({"success": True, "result": {"response": "a", "usage": USAGE}}, True),
        ({"success": True, "result": {"choices": [{"message": {"content": "a"}}], "usage": USAGE}}, True),
        ({"success": False, "result": {"response": "a", "usage": USAGE}}, False),
        ({"success": True, "result": {"response": "a"}}, False),
        ({"success": True, "result": {"usage": USAGE}}, False),
        ({"success": True, "result": {"response": 3, "usage": USAGE}}, False),
        ({"success": True, "result": None}, False),
        ([], False),
    ],
)
def test_maybe_read_usual_reads_whole_answers_of_the_usual_types_only(document: object, is_usual: bool) -> None:
    assert (maybe_read_usual(json.dumps(document).encode()) is not None) is is_usual


@pytest.mark.parametrize(
    ("raw", "text"), [(b'"a\xffb"', "a\ufffdb"), (b'{"\xe2x":1}', '{"\ufffdx":1}'), (b'["\xc3"]', '["\ufffd"]')]
)
def test_replaced_text_of_bytes_that_are_no_characters_has_signs_for_them(raw: bytes, text: str) -> None:
    assert replaced_text_of(Raw(raw)) == text
    with pytest.raises(ValueError):
        text_of(Raw(raw))
