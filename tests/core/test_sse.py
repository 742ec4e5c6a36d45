"""The SSE parser: what is an event, at any slicing, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sse import EVENT_LIMIT_BYTES, EventTooLarge, SseParser

CASES = [
    (b"data: a\n\n", [b"a"]),
    (b"data:a\n\n", [b"a"]),
    (b"data:  a\n\n", [b" a"]),
    (b"data: a\r\n\r\n", [b"a"]),
    (b"data: a\r\r", [b"a"]),
    (b"data: a\r\ndata: b\n\r\n", [b"a\nb"]),
    (b"data: a\ndata\ndata: b\n\n", [b"a\n\nb"]),
    (b"data: a", [b"a"]),
    (b"data: a\n", [b"a"]),
    (b"data: a\r", [b"a"]),
    (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    (b"data: \n\n", []),
    (b"data:\n\n\n\n", []),
    (b": comment\n\ndata: a\n\n", [b"a"]),
    (b"event: x\nid: 1\nretry: 5\ndatum: no\ndata: a\n\n", [b"a"]),
    (b"event: x\n\n", []),
    (b"[DONE]\n", [b"[DONE]"]),
    (b"[DONE]", [b"[DONE]"]),
    (b"data: a\n[DONE]\n", [b"a", b"[DONE]"]),
    (b"data: a\n\n[DONE]", [b"a", b"[DONE]"]),
    (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    ("data: a\u2028b\u0085\n\n".encode(), ["a\u2028b\u0085".encode()]),
    (b"data: a\n\n\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    (b"", []),
    (b"\n\n", []),
]


def parse(chunks: list[bytes]) -> list[bytes]:
    parser = SseParser()
    found = [payload for chunk in chunks for payload in parser.feed(chunk)]
    return found + parser.close()


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_parser_body_at_any_cut_gives_its_payloads(body: bytes, expected: list[bytes]) -> None:
    assert parse([body]) == expected
    assert parse([body[at : at + 1] for at in range(len(body))]) == expected
    for first in range(len(body)):
        assert parse([body[:first], b"", body[first:]]) == expected
        for second in range(first, len(body)):
            assert parse([body[:first], body[first:second], body[second:]]) == expected


@given(st.lists(st.binary(max_size=20).map(lambda piece: piece.replace(b"\xef", b"\n\ndata: x")), max_size=8))
def test_parser_any_bytes_at_any_slicing_give_the_same(chunks: list[bytes]) -> None:
    assert parse(chunks) == parse([b"".join(chunks)])


@given(st.lists(st.sampled_from([b"\r", b"\n", b"data: x", b"data:", b"[DONE]", b":c", b" "]), max_size=12))
def test_parser_any_lines_at_any_slicing_give_the_same(chunks: list[bytes]) -> None:
    assert parse(chunks) == parse([b"".join(chunks)])


@pytest.mark.parametrize("size", [97, 4096, 2 * EVENT_LIMIT_BYTES])
def test_parser_event_at_the_limit_is_read_at_any_slicing(size: int) -> None:
    body = b"data: " + b"x" * (EVENT_LIMIT_BYTES - 6) + b"\n\n"
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert parse(chunks) == [body[6:-2]]
    with pytest.raises(EventTooLarge):
        parse([b"data: x", *chunks])


@pytest.mark.parametrize(
    "body",
    [
        b"data: " + b"x" * EVENT_LIMIT_BYTES + b"\n\n",
        b": " + b"x" * EVENT_LIMIT_BYTES + b"\n",
        b"x" * (EVENT_LIMIT_BYTES + 1),
        b"data: xxxxxxxx\n" * (EVENT_LIMIT_BYTES // 9 + 1),
        b"data\n" * (EVENT_LIMIT_BYTES + 1),
    ],
)
def test_parser_event_beyond_the_limit_is_refused(body: bytes) -> None:
    with pytest.raises(EventTooLarge):
        parse([body])
    with pytest.raises(EventTooLarge):
        parse([body[at : at + 4096] for at in range(0, len(body), 4096)])
