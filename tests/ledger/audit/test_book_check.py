"""Roll-ups against roll-ups and counters, in a store that the test fills by hand."""

import asyncio
from collections.abc import Awaitable, Callable

from support.ledgers import fresh_layout
from support.valkey import ThrowAwayStore

from gateway.ledger.audit.book_check import check_counters, check_day
from gateway.ledger.audit.row_check import DAY
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

MONDAY = 1_760_313_600  # 2025-10-13
ONE = "1 10 5 0 100 7 0"


def run(server: ThrowAwayStore, play: Callable[[RedisStore, Layout], Awaitable[None]]) -> None:
    async def whole() -> None:
        layout = fresh_layout()
        store = RedisStore(server.url, layout)
        await play(store, layout)
        await store.close()

    asyncio.run(whole())


async def _book(store: RedisStore, layout: Layout, day: int) -> None:
    """Two requests of two keys in two hours of a day."""
    for number, hour in enumerate((day, day + 3600)):
        name = f"p1|k{number}|m"
        await store.pipeline(
            [
                ("HSET", layout.shared("use", "h", hour), name, ONE),
                ("HSET", layout.shared("use", "d", day), name, ONE),
                ("HSET", layout.shared("use", "p", day), f"{hour}|p1|m", ONE),
            ]
        )


def test_check_day_whole_day_agrees_and_a_lost_field_does_not(server: ThrowAwayStore) -> None:
    async def play(store: RedisStore, layout: Layout) -> None:
        await _book(store, layout, MONDAY)
        assert (await check_day(store, layout, MONDAY)).findings == []
        await store.command("HDEL", layout.shared("use", "h", MONDAY), "p1|k0|m")
        found = (await check_day(store, layout, MONDAY)).findings
        assert [(each.subject, each.expected[0], each.found[0]) for each in found] == [
            ("p1|k0|m", 0, 1),
            (f"{MONDAY}|p1|m", 0, 1),
        ]

    run(server, play)


def test_check_counters_sums_days_by_month_and_in_total(server: ThrowAwayStore) -> None:
    async def play(store: RedisStore, layout: Layout) -> None:
        november = MONDAY + 20 * DAY
        days = list(range(MONDAY, november + DAY, DAY))
        for day in (MONDAY, days[-2], november):
            await _book(store, layout, day)
        for scope, share in (("o", 2), ("p:p1", 2), ("k:k0", 1), ("k:k1", 1)):
            fields: list[str | int] = []
            days_and_weeks = [(label, 1) for label in ("2025-10-13", "2025-11-01", "2025-11-02", "2025-W42")]
            for label, times in (("2025-10", 1), ("2025-11", 2), ("total", 3), ("2025-W44", 2), *days_and_weeks):
                fields += [f"u:money:{label}", 100 * share * times, f"u:tokens:{label}", 15 * share * times]
                fields += [f"u:requests:{label}", share * times, f"u:neurons:{label}", 7 * share * times]
            await store.command("HSET", layout.spent(scope), *fields)
        assert (await check_counters(store, layout, days)).findings == []
        await store.command("HSET", layout.spent("k:idle"), "u:money:total", 3)
        await store.command("HINCRBY", layout.spent("p:p1"), "u:tokens:2025-10", -1)
        found = (await check_counters(store, layout, days, ["k:idle"])).findings
        assert {(each.subject, each.difference) for each in found} == {
            ("u:money:total", (-3,)),
            ("u:tokens:2025-10", (1,)),
        }

    run(server, play)
