"""The opening balance against the roll-ups of its time."""

import asyncio

from support.ledgers import fresh_layout
from support.valkey import ThrowAwayStore

from gateway.ledger.audit.opening import OpeningState, check_opening, read_state
from gateway.store.redis_store import RedisStore

DAY = 1_760_313_600


def test_check_opening_balance_must_be_what_was_rolled_up(server: ThrowAwayStore) -> None:
    async def play() -> None:
        layout = fresh_layout()
        store = RedisStore(server.url, layout)
        assert await read_state(store, layout) == OpeningState()
        assert (await check_opening(store, layout, DAY)).findings == []
        cut = DAY + 86_400 + 3600
        state: dict[str, str | int] = {"cut": cut, "pending": '["x"]', "version": 3, "rows": 9, "first": DAY}
        await store.pipeline(
            [
                ("HSET", layout.shared("opening_state"), *[part for pair in state.items() for part in pair]),
                ("HSET", layout.shared("opening"), "p|k|m", "3 3 3 3 3 3 3"),
                ("HSET", layout.shared("use", "d", DAY), "p|k|m", "2 2 2 2 2 2 2"),
                ("HSET", layout.shared("use", "h", cut), "p|k|m", "1 1 1 1 1 1 1"),
                ("HSET", layout.shared("use", "h", cut + 3600), "p|k|m", "5 5 5 5 5 5 5"),
            ]
        )
        found = await read_state(store, layout)
        assert found == OpeningState(cut, ("x",), 3, 9)
        assert (found.covers(cut), found.covers(cut + 3600)) == (True, False)
        assert (await check_opening(store, layout, DAY)).findings == []
        await store.command("HSET", layout.shared("opening"), "p|k|m", "3 3 3 3 2 3 3")
        (finding,) = (await check_opening(store, layout, DAY)).findings
        assert finding.difference == (0, 0, 0, 0, -1, 0, 0, 0)
        await store.close()

    asyncio.run(play())
