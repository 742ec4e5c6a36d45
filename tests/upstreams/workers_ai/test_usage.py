"""Usage: which of several reports is the bill."""

import pytest

from gateway.core.answer import Usage
from gateway.upstreams.workers_ai.shapes import CachedPiece, UsagePiece
from gateway.upstreams.workers_ai.usage import UsageOfStream, read_usage

NATIVE, CHUNK = True, False


@pytest.mark.parametrize(
    ("seen", "total"),
    [
        ([], None),
        ([(NATIVE, 0, 0)], None),
        ([(NATIVE, 9, 3)], Usage(9, 3)),
        ([(NATIVE, 9, 3), (NATIVE, 0, 0)], Usage(9, 3)),
        ([(CHUNK, 9, 0), (CHUNK, 0, 1), (CHUNK, 0, 1), (NATIVE, 9, 3)], Usage(9, 3)),
        ([(CHUNK, 9, 0), (CHUNK, 0, 1), (CHUNK, 0, 1)], None),
        ([(CHUNK, 9, 1), (CHUNK, 9, 2), (CHUNK, 9, 3), (CHUNK, 0, 0)], Usage(9, 3)),
        ([(CHUNK, 9, 3), (CHUNK, 9, 2)], Usage(9, 3)),
        ([(CHUNK, 99, 99), (NATIVE, 9, 3)], Usage(9, 3)),
        ([(NATIVE, 9, 3), (CHUNK, 99, 99)], Usage(9, 3)),
        ([(NATIVE, 9, 1), (NATIVE, 9, 3), (NATIVE, 9, 2)], Usage(9, 3)),
        ([(NATIVE, 9, 1), (NATIVE, 0, 1), (NATIVE, 9, 3)], Usage(9, 3)),
        ([(CHUNK, 0, 5)], None),
    ],
)
def test_usage_of_stream_chooses_the_total(seen: list[tuple[bool, int, int]], total: Usage | None) -> None:
    found = UsageOfStream()
    for is_native, prompt, completion in seen:
        found.saw(UsagePiece(prompt, completion, prompt + completion), is_native)
    assert found.total() == total


@pytest.mark.parametrize(
    ("piece", "usage"),
    [
        (None, None),
        (UsagePiece(), None),
        (UsagePiece(-4, -1), None),
        (UsagePiece(5, None, None, CachedPiece(9), 1.5), Usage(5, 0, 5, 1.5)),
        (UsagePiece(5, 2, 7, CachedPiece(None), -1.0), Usage(5, 2)),
        (UsagePiece(None, 2, 2, None, float("inf")), Usage(0, 2)),
    ],
)
def test_read_usage_gives_what_can_be_billed(piece: UsagePiece | None, usage: Usage | None) -> None:
    assert read_usage(piece) == usage
