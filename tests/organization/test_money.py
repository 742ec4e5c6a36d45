"""Money as exact text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.organization.money import cents, cents_to_nano, decimal_text, dollars


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (0, "0"),
        (60_000_000, "0.06"),
        (484, "0.000000484"),
        (10**9, "1"),
        (-1_500_000_000, "-1.5"),
        (-1, "-0.000000001"),
    ],
)
def test_decimal_text_case_has_no_noise(units: int, text: str) -> None:
    assert decimal_text(units, 9) == text


@given(st.integers(-(10**18), 10**18))
def test_dollars_any_amount_reads_back_exactly(nano: int) -> None:
    assert Decimal(bytes(dollars(nano)).decode()) * 10**9 == nano


@given(st.integers(0, 9 * 10**15))
def test_cents_to_nano_undoes_cents(nano: int) -> None:
    assert cents_to_nano(Decimal(bytes(cents(nano)).decode())) == nano


def test_cents_to_nano_finer_than_a_nano_dollar_is_none() -> None:
    assert cents_to_nano(Decimal("0.00000001")) is None
