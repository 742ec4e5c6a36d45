"""Lines written from a thread, into a real pipe that is read, not read, and closed."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.log.writer import MOST_WAITING, LineWriter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with suppress(OSError):  # the test has closed it
            os.close(end)


def test_lines_arrive_in_order_and_close_waits_for_them(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing)
    for number in range(1000):
        writer.write(b"line %d" % number)
    writer.close(10.0)
    os.close(writing)
    with os.fdopen(reading, "rb", closefd=False) as stream:
        assert stream.read().splitlines() == [b"line %d" % number for number in range(1000)]
    assert writer.dropped == 0


def test_nobody_waits_for_a_reader_that_does_not_read(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    writer = LineWriter(writing)
    line = b"x" * 10_000  # a pipe takes 64 KiB
    for _ in range(3 * MOST_WAITING):
        writer.write(line)
    assert writer.dropped > 0
    writer.close(0.05)  # gives up


def test_reader_that_has_gone_is_no_error(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    writer = LineWriter(writing)
    writer.write(b"to nobody")
    writer.close(10.0)
