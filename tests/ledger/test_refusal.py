"""What a client is told at a limit: the code of the scope, and exact figures."""

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ledgers import make_identity

from gateway.ledger.contract import Refused
from gateway.ledger.refusal import limit_reached

IDENTITY = make_identity(5_000_000_000)


@pytest.mark.parametrize(
    ("scope", "code", "name"),
    [
        ("organization", "organization_spend_limit_exceeded", "This organization"),
        ("project", "project_spend_limit_exceeded", "Project `P`"),
        ("key", "insufficient_quota", "This key"),
    ],
)
def test_limit_reached_names_the_scope(scope: str, code: str, name: str) -> None:
    error = limit_reached(Refused(scope, "money", "month", 5_000_000_000, 4_999_999_999, 1, 1_767_225_600), IDENTITY)
    assert (error.status, error.type, error.code) == (429, "insufficient_quota", code)
    assert error.message.startswith(f"{name} has reached its spend limit: $5.00 per month, of which $4.999999999 are")
    assert error.headers() == [(b"x-should-retry", b"false")]
    assert json.loads(error.envelope())["gateway"] == {
        "scope": scope,
        "kind": "money",
        "window": "month",
        "limit": 5_000_000_000,
        "used": 4_999_999_999,
        "held": 1,
        "resets_at": 1_767_225_600,
    }


@given(st.integers(0, 9 * 10**15), st.integers(0, 9 * 10**15), st.integers(0, 9 * 10**15))
def test_limit_reached_amounts_are_exact_dollars(limit: int, used: int, held: int) -> None:
    error = limit_reached(Refused("key", "money", "month", limit, used, held, None), IDENTITY)
    told = re.findall(r"\$(\d+\.\d+)", error.message)
    assert [Decimal(amount) * 10**9 for amount in told] == [limit, used, held]
    assert all(len(amount.partition(".")[2]) >= 2 for amount in told)
