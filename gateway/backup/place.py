"""The store that a configuration means, opened beside a running gateway or without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.config.settings import Settings
from gateway.core.errors import StoreAway
from gateway.store.embedded import EmbeddedStore, EmbeddedStoreError
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

_DEADLINE_SECONDS = 30.0  # nobody waits for an answer here, and a busy store may take its time


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[tuple[RedisStore, Layout]]:
    """A connection to it. An embedded store that does not run is started for the time. Raises StoreAway."""
    layout = Layout(settings.store.prefix)
    embedded = EmbeddedStore(settings.data_dir / "store") if settings.store.url == "embedded" else None
    is_ours = embedded is not None and not embedded.is_alive()
    if embedded is not None and is_ours:
        try:
            embedded.start()
        except EmbeddedStoreError as error:
            raise StoreAway(str(error)) from error
    store = RedisStore(
        settings.store.url if embedded is None else embedded.url, layout, deadline_seconds=_DEADLINE_SECONDS
    )
    try:
        yield store, layout
    finally:
        await store.close()
        if embedded is not None and is_ours:
            embedded.stop()
