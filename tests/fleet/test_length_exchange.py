"""What one worker has seen of a key's answers, another asks for; without the store each has its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.ledgers import fresh_layout
from support.upstreams import on_loop

from gateway.core.eligibility import Sample
from gateway.core.errors import StoreAway
from gateway.fleet.length_exchange import LengthExchange
from gateway.fleet.lengths import FEWEST_SAMPLES, OutputLengths
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

SAMPLE = Sample("key", "auto", "m", 40, None, 1.0)


@asynccontextmanager
async def pair(
    store_url: str,
) -> AsyncIterator[
    tuple[tuple[OutputLengths, LengthExchange], tuple[OutputLengths, LengthExchange], RedisStore, Layout]
]:
    """Two workers' lengths over one store."""
    layout = fresh_layout()
    store = RedisStore(store_url, layout)
    members = [(lengths, LengthExchange(store, layout, lengths)) for lengths in (OutputLengths(), OutputLengths())]
    try:
        yield members[0], members[1], store, layout
    finally:
        await store.close()


@on_loop
async def test_exchange_tells_what_changed_and_asks_for_what_is_new(store_url: str) -> None:
    async with pair(store_url) as ((mine, one), (theirs, other), _, __):
        for _number in range(FEWEST_SAMPLES):
            mine.observe(SAMPLE)
        await one.exchange(tells=False)
        assert mine.changed == {"key"}
        await one.exchange(tells=True)
        assert mine.changed == set()
        assert theirs.of("key") is None
        await other.exchange(tells=False)
        assert theirs.of("key") == {"auto": 40}
        assert theirs.of("nobody") is None
        await other.exchange(tells=False)
        assert theirs.unknown == set()


@on_loop
async def test_exchange_of_less_than_the_others_have_seen_takes_nothing_away(store_url: str) -> None:
    async with pair(store_url) as ((mine, one), (theirs, other), _, __):
        for _number in range(FEWEST_SAMPLES):
            mine.observe(SAMPLE)
        await one.exchange(tells=True)
        theirs.observe(Sample("key", "auto", "m", 900, None, 1.0))
        await other.exchange(tells=True)
        assert theirs.of("key") == mine.of("key") == {"auto": 40}


@on_loop
async def test_exchange_reads_nothing_into_what_it_cannot_read(store_url: str) -> None:
    async with pair(store_url) as ((mine, one), _, store, layout):
        await store.command("HSET", layout.shared("lengths"), "key", "[1, 2]")
        assert mine.of("key") is None
        await one.exchange(tells=False)
        assert mine.of("key") == {}


@on_loop
async def test_exchange_without_the_store_keeps_what_it_could_not_tell() -> None:
    layout = fresh_layout()
    store, lengths = RedisStore("redis://127.0.0.1:1", layout), OutputLengths()
    lengths.observe(SAMPLE)
    with pytest.raises(StoreAway):
        await LengthExchange(store, layout, lengths).exchange(tells=True)
    assert lengths.changed == {"key"}
    await store.close()
