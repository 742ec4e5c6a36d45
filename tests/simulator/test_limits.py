"""Account limits, with the time given."""

import asyncio

import pytest

from gateway.simulator.limits import Allowance, Slots, utc_day
from gateway.simulator.options import PUBLISHED_LIMITS, Limits

NOON = 1_800_014_400.0


def test_utc_day_changes_at_midnight() -> None:
    assert utc_day(1_800_057_599.9) == "2027-01-15"
    assert utc_day(1_800_057_600) == "2027-01-16"


def test_allowance_without_limits_permits_everything() -> None:
    allowance = Allowance(Limits())
    for _ in range(5000):
        assert allowance.api_request(NOON) is None
        assert allowance.model_request("m", NOON, 1e9) is None


def test_allowance_per_minute_is_per_model_and_ends() -> None:
    allowance = Allowance(PUBLISHED_LIMITS)
    assert [allowance.model_request("a", NOON, 0) for _ in range(300)] == [None] * 300
    refused = allowance.model_request("a", NOON + 59, 0)
    assert refused is not None
    assert refused.code == 3040
    assert allowance.model_request("b", NOON + 59, 0) is None
    assert allowance.model_request("a", NOON + 60, 0) is None


def test_allowance_of_the_api_blocks_for_five_minutes() -> None:
    allowance = Allowance(PUBLISHED_LIMITS)
    assert [allowance.api_request(NOON) for _ in range(1200)] == [None] * 1200
    for moment in (NOON + 1, NOON + 300):
        refused = allowance.api_request(moment)
        assert refused is not None
        assert (refused.code, refused.status) == (971, 429)
    assert allowance.api_request(NOON + 302) is None


def test_allowance_of_the_day_ends_with_the_neurons() -> None:
    allowance = Allowance(PUBLISHED_LIMITS)
    assert allowance.model_request("a", NOON, 9_999.9) is None
    refused = allowance.model_request("a", NOON, 10_000)
    assert refused is not None
    assert (refused.code, refused.status) == (4006, 429)


@pytest.mark.anyio
async def test_slots_are_handed_over_in_order() -> None:
    slots = Slots(Limits(capacity=1, queue_length=2))
    await slots.take()
    order: list[str] = []

    async def wait(name: str) -> None:
        await slots.take()
        order.append(name)

    first, second = asyncio.create_task(wait("first")), asyncio.create_task(wait("second"))
    await asyncio.sleep(0)
    assert slots.is_busy
    assert slots.is_full
    slots.give()
    await first
    assert order == ["first"]
    slots.give()
    await second
    slots.give()
    assert not slots.is_busy


@pytest.mark.anyio
async def test_slots_are_not_lost_by_somebody_who_leaves() -> None:
    slots = Slots(Limits(capacity=1))
    await slots.take()
    leaving, unlucky = asyncio.create_task(slots.take()), asyncio.create_task(slots.take())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    slots.give()
    unlucky.cancel()  # it has been given the slot but did not run yet
    await asyncio.gather(unlucky, return_exceptions=True)
    assert not slots.is_busy


@pytest.mark.anyio
async def test_slots_without_capacity_are_never_busy() -> None:
    slots = Slots(Limits())
    await slots.take()
    slots.give()
    assert not slots.is_busy
    assert not slots.is_full
