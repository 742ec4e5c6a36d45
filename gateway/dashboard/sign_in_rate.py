"""How often somebody may try to sign in: counted in the store, per minute, for all replicas together.

Only failures count in the end: an attempt is counted before its key is looked at, so that attempts at the same moment
cannot all pass, and taken back when the key was right. It never decides who somebody is.
"""

from gateway.core.errors import RateLimited
from gateway.store.contract import Store
from gateway.store.layout import Layout

WINDOW_SECONDS = 60
PER_ADDRESS = 10
ALTOGETHER = 200  # from many addresses; far too few to guess a key, enough for a company that mistypes


class SignInRate:
    """Failed attempts of addresses. Behind a proxy everybody has the proxy's address and shares its number."""

    def __init__(self, store: Store, layout: Layout) -> None:
        self._store = store
        self._layout = layout

    async def count(self, address: str) -> tuple[str, str]:
        """Count an attempt; gives what `forgive` takes. Raises RateLimited, StoreAway."""
        now = int((await self._store.command("TIME"))[0])
        minute = now // WINDOW_SECONDS
        places = (
            self._layout.shared("signins", minute, address),
            self._layout.shared("signins", minute, "all"),
        )
        replies = await self._store.pipeline(
            [each for place in places for each in (("INCR", place), ("EXPIRE", place, 2 * WINDOW_SECONDS))]
        )
        if replies[0] > PER_ADDRESS or replies[2] > ALTOGETHER:
            raise RateLimited(
                "Too many attempts to sign in. Wait a minute and try again.",
                retry_after=WINDOW_SECONDS - now % WINDOW_SECONDS,
            )
        return places

    async def forgive(self, places: tuple[str, str]) -> None:
        """The attempt was right: it does not count. Raises StoreAway."""
        await self._store.pipeline([("DECR", place) for place in places])
