"""The tree of refusals: OpenAI's envelope, and retry advice that clients understand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import errors
from gateway.core.errors import GatewayError, RateLimited, SpendLimitReached, StoreAway


def family(parent: type[GatewayError]) -> list[type[GatewayError]]:
    return [parent, *(found for child in parent.__subclasses__() for found in family(child))]


KINDS = [kind for kind in family(GatewayError) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_error_of_every_kind_is_in_the_drawing(kind: type[GatewayError]) -> None:
    assert errors.__doc__ is not None
    line = next(line for line in errors.__doc__.splitlines() if kind.__name__ in line.split())
    if not kind.__subclasses__() and "status" in vars(kind):
        assert str(kind.status) in line.split()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_envelope_has_openais_four_members(kind: type[GatewayError]) -> None:
    body = json.loads(kind("Why.", param="n").envelope())
    assert body == {"error": {"message": "Why.", "type": kind.type, "param": "n", "code": kind.default_code}}


@given(st.text(), st.none() | st.text(), st.none() | st.text(min_size=1))
def test_envelope_any_text_is_carried(message: str, param: str | None, code: str | None) -> None:
    error = json.loads(GatewayError(message, param=param, code=code).envelope())["error"]
    assert (error["message"], error["param"], error["code"]) == (message, param, code)


def test_envelope_details_stand_beside_the_error() -> None:
    body = json.loads(SpendLimitReached("m", details={"limit": 5, "resets_at": None}).envelope())
    assert body["gateway"] == {"limit": 5, "resets_at": None}
    assert set(body["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (GatewayError("m"), []),
        (SpendLimitReached("m"), [(b"x-should-retry", b"false")]),
        (RateLimited("m", should_retry=False), [(b"x-should-retry", b"false")]),
        (RateLimited("m", retry_after=0.2), [(b"retry-after", b"1"), (b"retry-after-ms", b"200")]),
        (StoreAway("m", retry_after=1.0), [(b"retry-after", b"1"), (b"retry-after-ms", b"1000")]),
        (StoreAway("m", retry_after=1.01), [(b"retry-after", b"2"), (b"retry-after-ms", b"1010")]),
        (StoreAway("m", retry_after=0), [(b"retry-after", b"1"), (b"retry-after-ms", b"1")]),
    ],
)
def test_headers_give_retry_advice(error: GatewayError, headers: list[tuple[bytes, bytes]]) -> None:
    assert error.headers() == headers


def test_headers_of_a_kind_that_may_be_repeated_say_so() -> None:
    class Willing(GatewayError):
        should_retry = True

    assert Willing("m").headers() == [(b"x-should-retry", b"true")]
