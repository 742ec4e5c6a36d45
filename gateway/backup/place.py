"""The store that a configuration means, opened beside a running gateway or without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from gateway.config.settings import Settings
from gateway.core.errors import StoreAway
from gateway.store.embedded import EmbeddedStore, EmbeddedStoreError
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

_DEADLINE_SECONDS = 30.0  # nobody waits for an answer here, and a busy store may take its time


def describe_store(settings: Settings) -> str:
    """The data directory and the store in words, without the store's password."""
    if settings.store.url == "embedded":
        return f"data directory {settings.data_dir}, embedded store {_home(settings)}"
    url = urlsplit(settings.store.url)
    where = f"{url.hostname}:{url.port}" if url.hostname and url.port else url.hostname or url.path
    return f"data directory {settings.data_dir}, store {where}, prefix {settings.store.prefix}"


def is_untouched(settings: Settings) -> bool:
    """Whether nothing was ever in this store: an embedded one without a directory, or with an empty one."""
    home = _home(settings)
    return settings.store.url == "embedded" and not (home.is_dir() and any(home.iterdir()))


def demo_beside(settings: Settings) -> Path | None:
    """The data directory of a demo under the one of these settings, None where there is none or they are its own."""
    folder = settings.data_dir / "demo"
    return folder if not settings.is_demo and (folder / "store").is_dir() else None


def _home(settings: Settings) -> Path:
    return settings.data_dir / "store"


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[tuple[RedisStore, Layout]]:
    """A connection to it. An embedded store that does not run is started for the time. Raises StoreAway."""
    layout = Layout(settings.store.prefix)
    embedded = EmbeddedStore(_home(settings)) if settings.store.url == "embedded" else None
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
