"""Reading parameters: whatever is sent, the outcome is a value or a refusal that names it."""

from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.organization.parameters import Body, Query

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def refusal(read: Callable[[], object]) -> InvalidRequest | None:
    """The refusal that reading ends in, None where there is a value."""
    try:
        read()
    except InvalidRequest as refused:
        return refused
    return None


@given(st.binary(max_size=60))
def test_body_any_bytes_are_an_object_or_refused(raw: bytes) -> None:
    refused = refusal(lambda: Body(raw).done())
    assert refused is None or refused.message


@given(JSON)
def test_body_any_value_is_read_or_refused_by_name(value: object) -> None:
    raw = msgspec.json.encode({"x": value})
    readers: list[Callable[[Body], object]] = [
        lambda body: body.text("x"),
        lambda body: body.integer("x", 0, 10),
        lambda body: body.required_number("x", 0, 10),
        lambda body: body.flag("x"),
        lambda body: body.done(),
    ]
    for read in readers:
        refused = refusal(partial(read, Body(raw)))
        assert refused is None or refused.param == "x"


@given(st.binary(max_size=60))
def test_query_any_bytes_are_read_or_refused(raw: bytes) -> None:
    query = Query(raw)
    for read in (lambda: query.integer("a", 0, 5), lambda: query.flag("b"), lambda: query.texts("c"), query.done):
        refused = refusal(read)
        assert refused is None or refused.param is not None


@pytest.mark.parametrize("raw", [b"a[]=1&a[]=2", b"a=1&a=2", b"a%5B%5D=1&a%5B%5D=2", b"a[0]=1&a[1]=2"])
def test_query_arrays_are_read_in_every_spelling(raw: bytes) -> None:
    query = Query(raw)
    assert query.texts("a") == ("1", "2")
    query.done()


@pytest.mark.parametrize("raw", [b'{"a": 1e99999999999999999999}', b'{"\xff": 1}', b"[" * 100_000])
def test_body_no_number_or_name_can_break_is_refused(raw: bytes) -> None:
    assert refusal(lambda: Body(raw)) is not None


@pytest.mark.parametrize("name", ["می\u200cخواهم", "👩\u200d💻"])
def test_body_joiners_of_scripts_and_emoji_are_part_of_a_name(name: str) -> None:
    assert Body(msgspec.json.encode({"name": name})).text("name") == name


@pytest.mark.parametrize("sign", ["\x00", "\n", "\x1b", "\x7f", "\x9b", "\u200b", "\u202e", "\u2066", "\ufeff"])
def test_body_control_characters_are_refused_by_name(sign: str) -> None:
    raw = msgspec.json.encode({"name": f"a{sign}b", "tags": {f"a{sign}b": "x"}})
    for read in (lambda: Body(raw).text("name"), lambda: Body(raw).text_map("tags", 9)):
        refused = refusal(read)
        assert refused is not None
        assert (refused.status, refused.code) == (400, "invalid_value")
        assert (f"\\x{ord(sign):02x}" if sign < "\u0100" else f"U+{ord(sign):04X}") in refused.message
