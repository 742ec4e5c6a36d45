"""Adding what is missing, whatever is booked meanwhile."""

import asyncio

from support.ledgers import fresh_layout
from support.valkey import ThrowAwayStore

from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.repair import repair
from gateway.store.redis_store import RedisStore


def test_repair_adds_the_difference_to_what_is_there_now(server: ThrowAwayStore) -> None:
    async def play() -> None:
        layout = fresh_layout()
        store = RedisStore(server.url, layout)
        table, counters = layout.shared("use", "h", 0), layout.spent("o")
        await store.pipeline([("HSET", table, "n", "2 2 2 2 2 2 2 2"), ("HSET", counters, "u:money:total", 10)])
        one, zero = (1,) * 8, (0,) * 8
        assert await repair(store, layout, Finding("rows", table, "n", one, zero))
        assert await store.command("HGET", table, "n") == b"3 3 3 3 3 3 3 3"
        assert await repair(store, layout, Finding("rollups", table, "n", zero, (3,) * 8))
        assert await store.command("EXISTS", table) == 0
        assert await repair(store, layout, Finding("rollups", table, "new", one, zero))
        assert await store.command("HGET", table, "new") == b"1 1 1 1 1 1 1 1"
        assert await repair(store, layout, Finding("counters", counters, "u:money:total", (7,), (9,)))
        assert await store.command("HGET", counters, "u:money:total") == b"8"
        assert not await repair(store, layout, Finding("opening", table, "n", one, zero))
        await store.close()

    asyncio.run(play())
