"""What one run knows: clock, gates, cache, ids."""

import asyncio

import pytest

from gateway.simulator.models import MODELS
from gateway.simulator.options import SimulatorOptions
from gateway.simulator.plan import Answer
from gateway.simulator.scenario import parse_scenario
from gateway.simulator.state import Gates, State
from gateway.simulator.switches import Switches

CLOCK = SimulatorOptions(seed=3, clock=lambda: 1_800_000_000.0)


def test_state_with_the_same_seed_has_the_same_secrets() -> None:
    first, second = State(CLOCK), State(CLOCK)
    assert first.record.prompt_offset == second.record.prompt_offset
    assert first.uuid() == second.uuid()
    assert first.tool_call_ids(2) == second.tool_call_ids(2)


@pytest.mark.parametrize(
    ("finish", "true", "max_tokens", "reported"),
    [("stop", 10, 256, None), ("stop", 10, 12, 11), ("stop", 10, 10, 10), ("length", 10, 10, 10), ("stop", 1, 1, 1)],
)
def test_state_usage_never_claims_a_length_stop(finish: str, true: int, max_tokens: int, reported: int | None) -> None:
    state = State(CLOCK)
    usage = state.usage(Answer("", (), finish, 5, true, max_tokens), MODELS[0], Switches())
    assert usage.completion_tokens == (true + state.record.completion_offset if reported is None else reported)
    assert usage.prompt_tokens == 5 + state.record.prompt_offset


def test_state_applies_models_and_retired_of_a_scenario() -> None:
    state = State(CLOCK)
    state.apply(parse_scenario("{models: [{id: m, window_tokens: 9, rates: [1, 2], prices: [1, 2]}], retired: [m]}"))
    assert state.models["m"].window_tokens == 9
    assert state.retired == {"m"}


def test_state_cache_ends_after_five_minutes_and_is_bounded() -> None:
    state = State(CLOCK)
    for number in range(300):
        state.remember(("m", str(number).encode()), b"answer")
    assert len(state.cache) == 256
    assert state.cached(("m", b"299")) == b"answer"
    assert state.cached(("m", b"0")) is None
    state.clock_shift = 300
    assert state.cached(("m", b"299")) is None


def test_state_keeps_no_body_larger_than_asked() -> None:
    state = State(SimulatorOptions(record_body_bytes=3))
    assert state.open_call("m", "api", b"abc").body == "abc"
    assert state.open_call("m", "api", b"abcd").body is None


@pytest.mark.anyio
async def test_gates_forget_those_who_leave() -> None:
    gates = Gates()
    waiting = [asyncio.create_task(gates.pass_through("g")) for _ in range(2)]
    await asyncio.sleep(0)
    assert gates.waiting == {"g": 2}
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert gates.waiting == {}
    gates.open("g")
    await gates.pass_through("g")
    gates.close("g")
