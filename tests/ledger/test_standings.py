"""What is read of an identity's limits is what the hold step would have said, and nothing where nobody says it."""

import asyncio
import os
import signal
import time
from pathlib import Path

from support.ledgers import NOW_MS, Clock, fresh_layout, make_identity, make_request, write_identity
from support.valkey import ThrowAwayStore, throw_away_store

from gateway.core.records import Limit
from gateway.ledger.contract import Held
from gateway.ledger.service import StoreLedger
from gateway.ledger.standings import READ_SECONDS
from gateway.store.redis_store import RedisStore

LIMITS = (
    Limit("requests", 5, "minute"),
    Limit("requests", 4, "day"),
    Limit("tokens", 9_000, "hour"),
    Limit("tokens", 90_000, "total"),
    Limit("tokens", 10, "hour", "@cf/somebody/else"),
    Limit("money", 10**12, "month"),
)


def test_read_says_what_the_hold_said(server: ThrowAwayStore, tmp_path: Path) -> None:
    async def play() -> None:
        layout, clock = fresh_layout(), Clock()
        store = RedisStore(server.url, layout)
        ledger = StoreLedger(store, layout, tmp_path, store_now=clock)
        identity = make_identity(10**12, limits=LIMITS)
        await write_identity(store, layout, identity)
        try:
            untouched = {rate.kind: rate for rate in await ledger.rates(identity)}
            assert (untouched["requests"].remaining, untouched["tokens"].remaining) == (4, 9_000)
            assert untouched["tokens"].reset_ms == 0
            for number in range(4):
                held = await ledger.hold(make_request(identity, f"r{number}"))
                assert isinstance(held, Held)
                assert await ledger.rates(identity) == held.rates
                clock.ms += 3_000
            (tokens, requests) = await ledger.rates(identity)
            assert (requests.limit, requests.remaining) == (4, 0)
            assert tokens.remaining == 9_000 - 4 * 300
            assert requests.reset_ms == 86_400_000 - clock.ms % 86_400_000
            assert await ledger.rates(make_identity(10**12)) == ()
        finally:
            await ledger.close()
            await store.close()

    assert NOW_MS % 86_400_000 < 86_000_000  # the day lasts as long as the test
    asyncio.run(play())


def test_read_of_a_frozen_or_absent_store_says_nothing_and_does_not_wait(tmp_path: Path) -> None:
    async def play(own: ThrowAwayStore) -> None:
        layout = fresh_layout()
        store = RedisStore(own.url, layout)
        ledger = StoreLedger(store, layout, tmp_path)
        identity = make_identity(limits=LIMITS)
        process = own.process
        assert process is not None
        try:
            assert len(await ledger.rates(identity)) == 2
            os.kill(process.pid, signal.SIGSTOP)
            began = time.monotonic()
            assert await ledger.rates(identity) == ()
            assert time.monotonic() - began < READ_SECONDS + 0.5
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait()
            assert await ledger.rates(identity) == ()
        finally:
            await ledger.close()
            await store.close()

    with throw_away_store() as own:
        asyncio.run(play(own))
