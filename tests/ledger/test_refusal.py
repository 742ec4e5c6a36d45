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


@pytest.mark.parametrize(
    ("refused", "expected", "words", "headers"),
    [
        (
            Refused("key", "requests", "minute", 60, 60, 0, 1_767_225_600, 1, 0.25),
            ("requests", "rate_limit_exceeded"),
            "on requests per min: Limit 60, Used 60, In flight 0, Requested 1. Please try again in 250ms.",
            [(b"retry-after", b"1"), (b"retry-after-ms", b"250")],
        ),
        (
            Refused("project", "tokens", "hour", 900, 0, 800, 1_767_225_600, 400, 61.5),
            ("tokens", "rate_limit_exceeded"),
            "`P` on tokens per hour: Limit 900, Used 0, In flight 800, Requested 400. Please try again in 1m1.5s.",
            [(b"retry-after", b"62"), (b"retry-after-ms", b"61500")],
        ),
        (
            Refused("key", "tokens", "minute", 900, 0, 0, None, 1000),
            ("tokens", "rate_limit_exceeded"),
            "Request too large for this key on tokens per min: Limit 900",
            [(b"x-should-retry", b"false")],
        ),
        (
            Refused("organization", "requests", "day", 10, 10, 0, 1_767_225_600, 1),
            ("requests", "rate_limit_exceeded"),
            "this organization on requests per day",
            [(b"x-should-retry", b"false")],
        ),
        (
            Refused("key", "concurrency", "now", 4, 0, 4, None, 1),
            ("requests", "rate_limit_exceeded"),
            "on requests at once: Limit 4",
            [(b"retry-after", b"1"), (b"retry-after-ms", b"1000")],
        ),
        (
            Refused("key", "money", "hour", 10**9, 10**9, 0, 1_767_225_600, 5, 9.0),
            ("insufficient_quota", "insufficient_quota"),
            "$1.00 per hour",
            [(b"x-should-retry", b"true"), (b"retry-after", b"9"), (b"retry-after-ms", b"9000")],
        ),
    ],
)
def test_limit_reached_says_whether_and_how_long_to_wait(
    refused: Refused, expected: tuple[str, str], words: str, headers: list[tuple[bytes, bytes]]
) -> None:
    error = limit_reached(refused, IDENTITY)
    assert (error.status, error.type, error.code) == (429, *expected)
    assert words in error.message
    assert error.headers() == headers
    assert error.details is not None
    assert error.details["window"] == refused.window


@given(st.integers(0, 9 * 10**15), st.integers(0, 9 * 10**15), st.integers(0, 9 * 10**15))
def test_limit_reached_amounts_are_exact_dollars(limit: int, used: int, held: int) -> None:
    error = limit_reached(Refused("key", "money", "month", limit, used, held, None), IDENTITY)
    told = re.findall(r"\$(\d+\.\d+)", error.message)
    assert [Decimal(amount) * 10**9 for amount in told] == [limit, used, held]
    assert all(len(amount.partition(".")[2]) >= 2 for amount in told)


def test_limit_of_one_model_names_it() -> None:
    refused = Refused("project", "requests", "minute", 5, 5, 0, None, needed=1, retry_after=2.0, model="@cf/a")
    error = limit_reached(refused, IDENTITY)
    assert "for project `P` on requests per min of model `@cf/a`" in error.message
    assert json.loads(error.envelope())["gateway"]["model"] == "@cf/a"
    spent = limit_reached(Refused("key", "money", "minute", 5, 5, 0, None, needed=1, model="@cf/a"), IDENTITY)
    assert "per minute for model `@cf/a`" in spent.message


def test_limit_of_neurons_is_told_in_whole_ones() -> None:
    refused = Refused("key", "neurons", "day", 100 * 10**9, 99 * 10**9 + 1, 0, 1_767_225_600, needed=2 * 10**9)
    error = limit_reached(refused, IDENTITY)
    assert (error.type, error.code) == ("tokens", "rate_limit_exceeded")
    assert "neurons per day: Limit 100, Used 100, In flight 0, Requested 2." in error.message
    assert (json.loads(error.envelope())["gateway"]["limit"], error.headers()) == (100, [(b"x-should-retry", b"false")])
