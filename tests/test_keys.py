"""Keys: secrets that tell typos apart, hashes only in the store, a cache that is small and short."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.ledgers import Clock, fresh_layout, make_identity, write_identity
from support.valkey import ThrowAwayStore, throw_away_store

from gateway import keys
from gateway.core.errors import StoreAway
from gateway.core.records import Identity, Rules
from gateway.keys import Keyring, ensure_organization, hash_secret, is_well_formed, new_secret, redact
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore


@pytest.fixture(scope="module")
def server() -> Iterator[ThrowAwayStore]:
    with throw_away_store() as found:
        yield found


Scenario = Callable[[RedisStore, Layout, Keyring, Clock, str], Awaitable[None]]


def run(server: ThrowAwayStore, scenario: Scenario) -> None:
    async def play() -> None:
        layout, clock, secret = fresh_layout(), Clock(), new_secret()
        store = RedisStore(server.url, layout)
        try:
            await write_identity(store, layout, replace(make_identity(), key_hash=hash_secret(secret)))
            await scenario(store, layout, Keyring(store, layout, clock.seconds), clock, secret)
        finally:
            await store.close()

    asyncio.run(play())


async def change_key(store: RedisStore, layout: Layout, identity: Identity, **change: int) -> None:
    key = replace(identity.key, version=identity.key.version + 1, **change)
    await write_identity(store, layout, replace(identity, key=key))


def test_new_secret_is_random_and_well_formed() -> None:
    found = {new_secret() for _ in range(100)}
    assert len(found) == 100
    assert all(is_well_formed(secret) and len(secret) == 52 for secret in found)


@given(st.integers(3, 51), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-é\udcff"))
def test_is_well_formed_with_any_changed_character_is_false(place: int, character: str) -> None:
    secret = new_secret()
    if secret[place] != character:
        assert not is_well_formed(secret[:place] + character + secret[place + 1 :])


@pytest.mark.parametrize("text", ["", "sk-", "sk-" + "a" * 49, "pk-" + "a" * 49, "sk-" + "é" * 49])
def test_is_well_formed_for_other_texts_is_false(text: str) -> None:
    assert not is_well_formed(text)


def test_redact_shows_the_last_four() -> None:
    assert redact("sk-abcdefgh") == "sk-…efgh"


def test_hash_secret_is_sha256() -> None:
    assert hash_secret("sk-x") == "9df37f5e7cbc3c391d872742b5f286c242e733a09add9eeaa4d26a599bd90b20"


def test_find_known_key_asks_the_store_once_a_minute(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, ring: Keyring, clock: Clock, secret: str) -> None:
        identity = await ring.find(secret)
        assert identity is not None
        assert identity.key.id == "key_1"
        before = store.commands
        assert await ring.find(secret) is identity
        assert store.commands == before
        clock.ms += 61_000
        assert await ring.find(secret) == identity
        assert store.commands > before

    run(server, scenario)


def test_find_unknown_or_mistyped_key_is_nobody(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, ring: Keyring, clock: Clock, secret: str) -> None:
        assert await ring.find(new_secret()) is None
        before = store.commands
        assert await ring.find(secret[:-1]) is None
        assert await ring.find_fresh(secret + "x") is None
        assert store.commands == before
        await store.command("DEL", layout.shared("org"))
        assert await ring.find(secret) is None

    run(server, scenario)


def test_find_fresh_sees_a_revocation_that_the_cache_does_not(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, ring: Keyring, clock: Clock, secret: str) -> None:
        identity = await ring.find(secret)
        assert identity is not None
        await change_key(store, layout, identity, revoked_at=5)
        assert await ring.find(secret) is identity  # the hold decides, not the cache
        assert await ring.find_fresh(secret) is None
        assert await ring.find(secret) is None

    run(server, scenario)


def test_find_key_that_expires_while_cached_is_nobody(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, ring: Keyring, clock: Clock, secret: str) -> None:
        identity = await ring.find_fresh(secret)
        assert identity is not None
        await change_key(store, layout, identity, expires_at=int(clock.seconds()) + 10)
        assert await ring.find_fresh(secret) is not None
        clock.ms += 10_000
        assert await ring.find(secret) is None

    run(server, scenario)


def test_replace_and_forget_follow_the_holds_word(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, ring: Keyring, clock: Clock, secret: str) -> None:
        identity = await ring.find(secret)
        assert identity is not None
        newer = replace(identity, key=replace(identity.key, version=2))
        ring.replace(newer)
        assert await ring.find(secret) is newer
        ring.forget(identity.key_hash)
        assert await ring.find(secret) == identity

    run(server, scenario)


def test_replace_many_keeps_the_cache_small(server: ThrowAwayStore) -> None:
    async def scenario(store: RedisStore, layout: Layout, ring: Keyring, clock: Clock, secret: str) -> None:
        identity = await ring.find(secret)
        assert identity is not None
        for number in range(keys.CACHE_SIZE):
            ring.replace(replace(identity, key_hash=str(number)))
        before = store.commands
        assert await ring.find(secret) == identity
        assert store.commands > before  # it was the oldest

    run(server, scenario)


def test_ensure_organization_is_made_once(server: ThrowAwayStore) -> None:
    async def play() -> None:
        layout = fresh_layout()
        store = RedisStore(server.url, layout)
        made = await asyncio.gather(*(ensure_organization(store, layout) for _ in range(3)))
        assert made[0] == made[1] == made[2]
        assert await store.command("HGET", layout.shared("org"), "v") == b"1"
        await store.close()

    asyncio.run(play())


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_find_while_the_store_is_away_serves_only_keys_that_may_go_on(fault: str) -> None:
    async def play(server: ThrowAwayStore) -> None:
        layout, clock = fresh_layout(), Clock()
        store = RedisStore(server.url, layout, deadline_seconds=0.2)
        ring = Keyring(store, layout, clock.seconds)
        secrets = [new_secret() for _ in range(3)]
        for number, rules in enumerate((Rules(on_store_down="allow"), Rules(), Rules(on_store_down="allow"))):
            made = make_identity(key=f"key_{number}")
            expires_at = int(clock.seconds()) + 100 if number == 2 else None
            key = replace(made.key, rules=rules, expires_at=expires_at)
            await write_identity(store, layout, replace(made, key=key, key_hash=hash_secret(secrets[number])))
        for secret in secrets:
            assert await ring.find(secret) is not None
        clock.ms += 3_600_000
        server.kill() if fault == "kill" else server.freeze()
        for find in (ring.find, ring.find_fresh, ring.find):
            found = await find(secrets[0])
            assert found is not None
            assert found.key.id == "key_0"
            with pytest.raises(StoreAway):
                await find(secrets[1])
            assert await find(secrets[2]) is None  # it has expired meanwhile
            with pytest.raises(StoreAway):
                await find(new_secret())
        await store.close()

    with throw_away_store() as server:
        asyncio.run(play(server))
