"""Usage buckets: every width, grouping and filter equals the sum over rows."""

import asyncio
import random
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace
from support.ledgers import NOW_MS, World, make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.core.receipt import Receipt
from gateway.ledger.entries import Settle
from gateway.ledger.rollups import SECONDS, Dimension, Usage, UsageQuery, Width, read_usage, row_sums, total

START = NOW_MS // 1000
WIDTHS: tuple[Width, ...] = ("1m", "1h", "1d")
GROUPS: tuple[tuple[Dimension, ...], ...] = ((), ("project",), ("key",), ("model",), ("model", "project", "key"))
FILTERS: tuple[dict[str, Any], ...] = (  # of a query
    {}, {"project_ids": ("p1",)}, {"api_key_ids": ("k0", "k5")}, {"models": ("m1",)},
)  # fmt: skip


async def settle_rows(world: World) -> list[Receipt]:
    chosen = random.Random(3)
    rows = []
    for number in range(60):
        key = chosen.randrange(6)
        created = NOW_MS + chosen.randrange(2 * 86_400_000)
        receipt = make_receipt(make_request(world.identity, f"r{number}"), created, chosen.randrange(99), number)
        names = {"project_id": f"p{key // 2}", "api_key_id": f"k{key}", "model": f"m{chosen.randrange(2)}"}
        end = chosen.choice(["stop", "failed", "client_gone"])
        tags = {"team": chosen.choice("abc"), "undeclared": "x"}
        row = replace(receipt, **names, end_reason=end, tags=tags, rolled_up=["team"])
        rows.append(row)
        assert await world.settle(number + 1, Settle(row)) == ["OK", number + 1]
    return rows


def sums_of(usage: Usage) -> tuple[int, ...]:
    return (
        usage.requests, usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.cost_nano,
        usage.neurons_nano, usage.failed, usage.client_gone,
    )  # fmt: skip


def expected(rows: list[Receipt], query: UsageQuery, start: int, end: int) -> dict[tuple[str | None, ...], list[int]]:
    groups: dict[tuple[str | None, ...], list[int]] = {}  # by project, key, model and tag
    for row in rows:
        key = None if query.tag else row.api_key_id
        group = query.group(row.project_id, key, row.model, row.tags[query.tag] if query.tag else None)
        if group is not None and start <= row.created_ms // 1000 < end:
            sums = groups.setdefault(group, [0] * 8)
            groups[group] = [a + b for a, b in zip(sums, row_sums(row), strict=True)]
    return groups


def test_read_usage_every_question_equals_the_rows(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            rows = await settle_rows(world)
            for width, groups, filters in product(WIDTHS, GROUPS, FILTERS):
                query = UsageQuery(START, START + 86_400 + 7, width, groups, **filters)
                buckets = await read_usage(world.store, world.layout, query)
                assert buckets[0].start <= START < buckets[0].end
                assert buckets[-1].start < query.end <= buckets[-1].end
                for bucket in buckets:
                    assert bucket.end - bucket.start == SECONDS[width]
                    found = {(u.project_id, u.api_key_id, u.model, u.tag): list(sums_of(u)) for u in bucket.results}
                    assert found == expected(rows, query, bucket.start, bucket.end)

    asyncio.run(play())


def test_read_usage_of_a_large_roll_up_reads_all_of_it(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            day = START // 86_400 * 86_400
            name = world.layout.shared("use", "d", day)
            fields = [part for number in range(3000) for part in (f"p|k{number}|m", "1 2 3 0 5 0 0")]
            await world.store.command("HSET", name, *fields)
            (bucket,) = await read_usage(world.store, world.layout, UsageQuery(day, day + 1, "1d", ("key",)))
            assert len(bucket.results) == 3000
            assert sums_of(total(bucket.results)) == (3000, 6000, 9000, 0, 15000, 0, 0, 0)

    asyncio.run(play())


@pytest.mark.parametrize("width", ["1h", "1d"])
def test_read_usage_by_tag_equals_the_rows_that_have_it(server: ThrowAwayStore, width: Width) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            rows = await settle_rows(world)
            for tag, groups, filters in product(("team", "undeclared"), ((), ("project",), ("model",)), FILTERS[::3]):
                query = UsageQuery(START, START + 86_400, width, groups, **filters, tag=tag)
                for bucket in await read_usage(world.store, world.layout, query):
                    found = {(u.project_id, u.api_key_id, u.model, u.tag): list(sums_of(u)) for u in bucket.results}
                    assert found == (expected(rows, query, bucket.start, bucket.end) if tag == "team" else {})

    asyncio.run(play())


def test_roll_up_by_tag_is_bounded_and_the_rest_is_other(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            day = START // 86_400 * 86_400
            name = world.layout.shared("use", "t", day)
            full = [part for number in range(10_000) for part in (f"{day}|p|m|team={number}", "1 2 3 0 5 0 0 0")]
            await world.store.command("HSET", name, *full)
            known = replace(make_receipt(make_request(world.identity, "r1"), START * 1000), project_id="p", model="m")
            known = replace(known, created_ms=day * 1000, tags={"team": "7"}, rolled_up=["team"])
            assert await world.settle(1, Settle(known)) == ["OK", 1]
            assert await world.settle(2, Settle(replace(known, id="r2", tags={"team": "new", "x": "y"}))) == ["OK", 2]
            (bucket,) = await read_usage(world.store, world.layout, UsageQuery(day, day + 1, "1d", tag="team"))
            requests = {usage.tag: usage.requests for usage in bucket.results}
            assert (requests["7"], requests["(other)"], "new" in requests) == (2, 1, False)

    asyncio.run(play())


def test_sums_of_neurons_are_exact_beyond_what_a_double_holds(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            each = 8_999_999_999_999_999
            row = replace(make_receipt(make_request(world.identity, "r"), START * 1000), neurons_nano=each)
            for number in range(1, 8):
                assert await world.settle(number, Settle(replace(row, id=f"r{number}"))) == ["OK", number]
            (bucket,) = await read_usage(world.store, world.layout, UsageQuery(START, START + 1, "1d"))
            assert total(bucket.results).neurons_nano == 7 * each

    asyncio.run(play())


@pytest.mark.parametrize(
    ("start", "end", "count"), [(0, 0, 1), (0, 1, 1), (0, 3600, 1), (10, 3601, 2), (3599, 3600, 1)]
)
def test_bounds_cover_the_question(start: int, end: int, count: int) -> None:
    bounds = UsageQuery(start, end, "1h").bounds()
    assert len(bounds) == count + 1
    assert bounds[0] <= start
    assert bounds[-1] >= end
