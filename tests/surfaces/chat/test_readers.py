"""Single values: bounds are inclusive, kinds are exact."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat import readers


@given(st.integers(-5, 15))
def test_integer_within_bounds_passes_and_beyond_is_refused_by_side(value: int) -> None:
    read = readers.integer(0, 10)
    if 0 <= value <= 10:
        assert read(value, "x") == value
        return
    with pytest.raises(InvalidRequest) as caught:
        read(value, "x")
    assert caught.value.code == ("integer_below_min_value" if value < 0 else "integer_above_max_value")


@pytest.mark.parametrize("value", [True, 0.5, math.nan, math.inf, "1", [], {}])
def test_integer_of_another_kind_is_refused(value: Any) -> None:  # the wrong kinds
    with pytest.raises(InvalidRequest) as caught:
        readers.integer(0, 10)(value, "x")
    assert caught.value.code == "invalid_type"


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400])
def test_decimal_that_is_no_number_in_range_is_above(value: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        readers.decimal(0, 2)(value, "x")
    assert caught.value.code == "decimal_above_max_value"


def test_decimal_integer_becomes_a_float() -> None:
    assert isinstance(readers.decimal(0, 2)(1, "x"), float)


def test_text_up_to_counts_characters() -> None:
    read = readers.text_up_to(3)
    assert read("äöü", "x") == "äöü"
    with pytest.raises(InvalidRequest):
        read("abcd", "x")


@pytest.mark.parametrize(("value", "limit"), [(5, 5), (1, 1), (0, None), (-1, None)])
def test_read_top_k_without_limit_is_absent(value: int, limit: int | None) -> None:
    assert readers.read_top_k(value, "top_k") == limit


def test_check_encodable_depth_at_the_limit_passes() -> None:
    value: Any = 1  # nested lists
    for _ in range(readers.MAX_DEPTH):
        value = [value]
    readers.check_encodable(value, "x")
    with pytest.raises(InvalidRequest):
        readers.check_encodable([value], "x")
