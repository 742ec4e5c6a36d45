"""Windows are learned from refusals that name one, and forgotten after a day."""

import pytest
from support.clock import Clock

from gateway.core.answer import Failure
from gateway.core.catalog import Model
from gateway.fleet.windows import RELEARN_SECONDS, Windows

MODEL = Model("m", 128_000, ())


def test_window_named_in_a_refusal_is_learned_for_a_day() -> None:
    clock = Clock()
    windows = Windows(clock)
    assert windows.refused(MODEL, Failure("too_long", "x", limit_tokens=24_000)) == 24_000
    assert windows.refused(MODEL, Failure("too_long", "x", limit_tokens=24_000)) is None
    assert windows.windows == {"m": 24_000}
    clock.now += RELEARN_SECONDS - 1
    windows.forget_old()
    assert windows.windows == {"m": 24_000}
    clock.now += 1
    windows.forget_old()
    assert windows.windows == {}


@pytest.mark.parametrize("limit", [None, 0, 511, 128_000, 200_000])
def test_window_that_teaches_nothing_or_cannot_be_is_ignored(limit: int | None) -> None:
    windows = Windows(Clock())
    assert windows.refused(MODEL, Failure("too_long", "x", limit_tokens=limit)) is None
    assert windows.windows == {}


def test_window_is_not_learned_from_other_failures() -> None:
    windows = Windows(Clock())
    assert windows.refused(MODEL, Failure("rejected", "x", limit_tokens=24_000)) is None


def test_unlimited_models_are_those_that_took_a_long_message() -> None:
    windows = Windows(Clock())
    windows.took_long_message("m")
    assert windows.unlimited == {"m"}
