"""One worker of several has the turn: it keeps it, leaves it, or loses it when it runs out."""

import asyncio

from support.valkey import throw_away_store

from gateway.store.layout import Layout
from gateway.store.lease import Lease
from gateway.store.redis_store import RedisStore


def test_lease_is_held_by_one_kept_left_and_taken_over() -> None:
    async def scenario(url: str) -> None:
        store = RedisStore(url, Layout())
        try:
            one, two = (Lease(store, "turn", name, 60_000) for name in ("one", "two"))
            assert [await one.hold(), await two.hold(), await one.hold()] == [True, False, True]
            await two.release()  # not its own
            assert await two.hold() is False
            await one.release()
            assert [await two.hold(), await one.hold()] == [True, False]
            assert 0 < await store.command("PTTL", "turn") <= 60_000
            await one.seize()
            assert [await one.hold(), await two.hold()] == [True, False]
            await store.command("DEL", "turn")  # its holder died and it ran out
            assert await one.hold() is True
        finally:
            await store.close()

    with throw_away_store() as server:
        asyncio.run(scenario(server.url))
