"""The retry table: which failures move on, where to, how long they pause, and what the client is told."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.answer import Failure, FailureKind
from gateway.core.catalog import Model, Price
from gateway.core.errors import GatewayError
from gateway.core.retry import MOVES, Attempts, Retry, error_of

MODEL = Model("old", 1000, (Price("p", 0, "page", 1, 1),), successor="new")
KINDS: tuple[FailureKind, ...] = typing.get_args(FailureKind)


def test_table_covers_every_kind_exactly() -> None:
    assert set(MOVES) == set(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if MOVES[kind] == "stop"])
def test_next_after_a_failure_of_account_or_request_stops(kind: FailureKind) -> None:
    attempts = Attempts(count=3, limit=3, made=1)
    assert attempts.next(Failure(kind, "x"), 0, 0.5) is None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if MOVES[kind] not in ("stop", "whole")])
def test_next_after_a_first_failure_goes_to_the_next_model_without_a_pause(kind: FailureKind) -> None:
    retry = Attempts(count=3, limit=3, made=1).next(Failure(kind, "x"), 0, 0.5)
    assert retry is not None
    assert (retry.candidate, retry.pause) == (1, 0.0)


def test_next_on_a_single_model_pauses_before_trying_it_again() -> None:
    retry = Attempts(count=1, limit=3, made=1).next(Failure("capacity", "x"), 0, 0.0)
    assert retry is not None
    assert retry.candidate == 0
    assert retry.pause == pytest.approx(0.125)


def test_next_honours_retry_after_up_to_the_longest_pause() -> None:
    short = Attempts(count=1, limit=3, made=1).next(Failure("capacity", "x", retry_after=3.0), 0, 0.0)
    long = Attempts(count=1, limit=3, made=1).next(Failure("capacity", "x", retry_after=300.0), 0, 0.0)
    assert short is not None
    assert long is not None
    assert (short.pause, long.pause) == (3.0, 8.0)


def test_next_never_returns_to_a_model_that_cannot() -> None:
    attempts = Attempts(count=2, limit=9, made=1)
    first = attempts.next(Failure("retired", "x"), 0, 0.5)
    assert first is not None
    assert first.candidate == 1
    attempts.made = 2
    again = attempts.next(Failure("capacity", "x"), 1, 0.5)
    assert again is not None
    assert again.candidate == 1
    attempts.made = 3
    assert attempts.next(Failure("too_long", "x"), 1, 0.5) is None


@given(
    count=st.integers(1, 6),
    limit=st.integers(1, 8),
    kinds=st.lists(st.sampled_from(KINDS), max_size=12),
    jitter=st.floats(0, 0.999),
)
def test_next_over_any_failures_ends_within_the_limit(
    count: int, limit: int, kinds: list[FailureKind], jitter: float
) -> None:
    attempts = Attempts(count, limit)
    candidate = 0
    for kind in kinds:
        attempts.made += 1
        retry = attempts.next(Failure(kind, "x"), candidate, jitter)
        if retry is None:
            break
        assert 0 <= retry.candidate < count
        assert 0 <= retry.pause <= 8
        candidate = retry.candidate
    assert attempts.made <= attempts.limit <= limit + 1  # one more where a stream was hollow


@pytest.mark.parametrize(
    ("kind", "status", "code", "should_retry"),
    [
        ("connect", 503, "server_is_overloaded", None),
        ("first_byte_timeout", 503, "server_is_overloaded", None),
        ("capacity", 503, "server_is_overloaded", None),
        ("quota", 429, "insufficient_quota", False),
        ("rate_limited", 503, "server_is_overloaded", None),
        ("not_authorized", 502, "upstream_not_authorized", False),
        ("retired", 404, "model_not_found", None),
        ("too_long", 400, "context_length_exceeded", None),
        ("server_error", 502, "server_error", None),
        ("rejected", 400, None, None),
        ("malformed", 502, "server_error", None),
        ("cut", 502, "server_error", None),
        ("unmet", 502, "model_output_invalid", False),
        ("hollow", 502, "server_error", None),
    ],
)
def test_error_of_each_kind_has_the_promised_status_and_code(
    kind: FailureKind, status: int, code: str | None, should_retry: bool | None
) -> None:
    error = error_of(Failure(kind, "why"), MODEL, 0)
    assert isinstance(error, GatewayError)
    assert (error.status, error.code, error.should_retry) == (status, code, should_retry)


def test_error_of_too_long_names_the_window_the_upstream_named() -> None:
    error = error_of(Failure("too_long", "why", limit_tokens=7968), MODEL, 0)
    assert error.message.startswith("This model's maximum context length is 7968 tokens. ")


def test_error_of_quota_says_when_the_day_ends() -> None:
    error = error_of(Failure("quota", "why"), MODEL, 86_400 * 3 + 5.5)
    assert error.details == {"scope": "account", "kind": "neurons", "window": "day", "resets_at": 86_400 * 4}


def test_error_of_a_retired_model_names_its_successor() -> None:
    assert error_of(Failure("retired", "gone"), MODEL, 0).message.endswith("Use `new` instead.")


def test_next_after_an_answer_in_the_wrong_form_tries_once() -> None:
    attempts = Attempts(count=3, limit=9, made=1)
    assert attempts.next(Failure("unmet", "x"), 0, 0.5) is not None
    attempts.made = 2
    assert attempts.next(Failure("unmet", "x"), 1, 0.5) is None


def test_next_after_a_hollow_stream_is_the_same_model_whole_and_once() -> None:
    attempts = Attempts(count=2, limit=1, made=1)
    assert attempts.next(Failure("hollow", "x"), 0, 0.5) == Retry(0, 0.0, is_whole=True)
    attempts.made = 2
    assert attempts.next(Failure("hollow", "x"), 0, 0.5) is None
    assert attempts.next(Failure("capacity", "x"), 0, 0.5) is None


def test_next_retired_with_nobody_else_is_asked_once_more() -> None:
    attempts = Attempts(count=1, limit=5, made=1)
    retry = attempts.next(Failure("retired", "x"), 0, 0.5)
    assert retry is not None
    assert (retry.candidate, retry.pause > 0) == (0, True)
    attempts.made = 2
    assert attempts.next(Failure("retired", "x"), 0, 0.5) is None


def test_next_retired_with_somebody_else_is_not_asked_again() -> None:
    attempts = Attempts(count=2, limit=5, made=1)
    assert attempts.next(Failure("retired", "x"), 0, 0.5) == Retry(1, 0.0)
