"""A turn that one worker of all has: a key in the store that runs out if its holder dies."""

from gateway.store.contract import Store


class Lease:
    """`name` tells this worker from the others. One that runs out under a slow holder is had twice for a while: what is
    done under it has to bear that.
    """

    def __init__(self, store: Store, key: str, name: str, milliseconds: int) -> None:
        self._store = store
        self._key = key
        self._name = name
        self._milliseconds = milliseconds

    async def hold(self) -> bool:
        """Take it, or keep it for another while; whether it is this worker's now. Raises StoreAway."""
        if await self._store.command("SET", self._key, self._name, "NX", "PX", self._milliseconds) is not None:
            return True
        if not await self._is_mine():
            return False
        await self._store.command("PEXPIRE", self._key, self._milliseconds)
        return True

    async def seize(self) -> None:
        """Have it for another while, whoever has it now. Raises StoreAway."""
        await self._store.command("SET", self._key, self._name, "PX", self._milliseconds)

    async def release(self) -> None:
        """Leave it to others at once. Raises StoreAway."""
        if await self._is_mine():
            await self._store.command("DEL", self._key)

    async def _is_mine(self) -> bool:
        found: bytes | None = await self._store.command("GET", self._key)
        return found == self._name.encode()
