"""The store a configuration means: of a running gateway, or started for the time."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.backup.place import demo_beside, describe_store, is_untouched, opened_store
from gateway.config.load import load
from gateway.config.settings import Settings
from gateway.core.errors import StoreAway
from gateway.store.embedded import EmbeddedStore


def settings(tmp_path: Path) -> Settings:
    return load("", {}, tmp_path, demo=True)


async def ping(given: Settings) -> bytes:
    async with opened_store(given) as (store, layout):
        assert layout.prefix == given.store.prefix
        answer: bytes = await store.command("PING")
        return answer


def test_embedded_store_is_started_for_the_time_and_left_as_it_was(tmp_path: Path) -> None:
    given = settings(tmp_path)
    home = EmbeddedStore(given.data_dir / "store")
    assert asyncio.run(ping(given)) == b"PONG"
    assert not home.is_alive()
    home.start()
    assert asyncio.run(ping(given)) == b"PONG"
    assert home.is_alive()
    home.stop()


def test_store_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    given = replace(settings(tmp_path), data_dir=tmp_path / "file")
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "store").mkdir()
    (tmp_path / "file" / "store" / "appendonlydir").write_text("in the way")
    with pytest.raises(StoreAway, match="the embedded store"):
        asyncio.run(ping(given))


def test_untouched_stores_and_demos_beside_are_known_without_creating_anything(tmp_path: Path) -> None:
    real, demo = load("", {}, tmp_path, demo=False), settings(tmp_path)
    assert is_untouched(real)
    assert demo_beside(real) is None
    assert not (tmp_path / "data").exists()
    (demo.data_dir / "store" / "x").mkdir(parents=True)
    assert not is_untouched(demo)
    assert is_untouched(real)
    assert demo_beside(real) == demo.data_dir
    assert demo_beside(demo) is None


def test_store_is_described_without_its_password(tmp_path: Path) -> None:
    given = settings(tmp_path)
    assert describe_store(given).endswith(f"embedded store {given.data_dir / 'store'}")
    outside = replace(given, store=replace(given.store, url="rediss://me:secret@store.example:6380/1"))
    assert "store store.example:6380, prefix" in describe_store(outside)
    assert "secret" not in describe_store(outside)
