"""Sums as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import RecordUnreadable
from gateway.core.limits import Kind
from gateway.ledger.audit.sums import ZERO, add_up, amount, parse_sums, plus, write_sums

SUMS = st.tuples(*[st.integers(-(2**53), 2**53)] * 8)


@given(SUMS)
def test_parse_sums_reads_what_was_written(sums: tuple[int, ...]) -> None:
    assert parse_sums(write_sums(sums).encode()) == sums


@given(SUMS, SUMS)
def test_add_up_is_plus_over_all(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    assert add_up([left, right]) == plus(left, right) == plus(right, left)


def test_parse_sums_of_seven_has_no_clients_gone() -> None:
    assert parse_sums(b"1 2 3 4 5 6 7") == (1, 2, 3, 4, 5, 6, 7, 0)


def test_parse_sums_nothing_is_zero_and_other_text_is_refused() -> None:
    assert parse_sums(None) == ZERO == add_up([])
    with pytest.raises(RecordUnreadable, match="roll-up"):
        parse_sums(b"1 2 3")


@pytest.mark.parametrize(("kind", "expected"), [("money", 5), ("requests", 1), ("tokens", 5), ("neurons", 6)])
def test_amount_is_what_a_counter_counts(kind: Kind, expected: int) -> None:
    assert amount((1, 2, 3, 4, 5, 6, 7), kind) == expected
