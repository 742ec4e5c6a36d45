"""Ends running requests whose key was revoked or disabled, or whose project was archived, on whatever replica.

A request is admitted by the hold's comparison of record versions; while it runs nothing asks the store. So every worker
compares, every two seconds and for all of its running requests together, the versions they were admitted with: one
round trip where requests run, none where none do. `on_revoke: finish` lets them run to their end. An absent or emptied
store withdraws nothing, nor does a record that cannot be read, and a key that merely expires lets what it began come to
its end.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from gateway.core.errors import InvalidKey, RecordUnreadable, StoreAway
from gateway.core.records import Identity
from gateway.keys import load_identity
from gateway.relay import Exchange
from gateway.store.contract import Argument, Reply, Store
from gateway.store.layout import Layout

LOOK_SECONDS = 2.0  # two looks, and the deadline of a store call between them, stay below five seconds

_log = logging.getLogger("gateway.withdrawal")


class Withdrawals:
    """The running requests of a worker, and whom they belong to."""

    def __init__(self, store: Store, layout: Layout) -> None:
        self._store = store
        self._layout = layout
        self._running: dict[Exchange, tuple[Identity, asyncio.Task[Any]]] = {}  # Any: what they return is not used
        self._seen: dict[str, tuple[Reply, Reply]] = {}  # key hash → versions that were looked at and found valid

    def join(self, exchange: Exchange, identity: Identity, work: "asyncio.Task[Any]") -> None:  # Any: as above
        """A request of this identity runs as this task; it can be stopped while its exchange is watched."""
        self._running[exchange] = identity, work

    def leave(self, exchange: Exchange) -> None:
        """It has ended. May be called for one that never joined."""
        self._running.pop(exchange, None)

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(StoreAway):
                await self.look()

    async def look(self) -> None:
        """Stop what must not run any more. Raises StoreAway."""
        identities = {identity.key_hash: identity for identity, _ in self._running.values()}
        self._seen = {name: versions for name, versions in self._seen.items() if name in identities}
        if not identities:
            return
        for identity, versions in await self._changed(identities.values()):
            try:
                fresh = await load_identity(self._store, self._layout, identity.key_hash)
            except RecordUnreadable:  # the log has it; those of other keys are looked at all the same
                self._seen[identity.key_hash] = versions
                continue
            if fresh is None and not await self._is_ours():
                return
            if fresh is None or fresh.is_withdrawn:
                self._stop(identity, fresh)
            self._seen[identity.key_hash] = versions

    async def _changed(self, identities: Iterable[Identity]) -> list[tuple[Identity, tuple[Reply, Reply]]]:
        """Those whose key or project record is another one than when it was last looked at."""
        looked = list(identities)
        commands: list[tuple[Argument, ...]] = [("HGET", self._layout.key(each.key_hash), "v") for each in looked]
        commands += [("HGET", self._layout.project(each.project.id), "v") for each in looked]
        replies = await self._store.pipeline(commands)
        found = []
        for number, identity in enumerate(looked):
            versions = replies[number], replies[number + len(looked)]
            admitted = (b"%d" % identity.key.version, b"%d" % identity.project.version)
            if versions != self._seen.get(identity.key_hash, admitted):
                found.append((identity, versions))
        return found

    async def _is_ours(self) -> bool:
        """Whether the store has our records at all: one that lost them revokes nobody."""
        if await self._store.command("HEXISTS", self._layout.shared("org"), "v"):
            return True
        self._store.suspect()
        return False

    def _stop(self, identity: Identity, fresh: Identity | None) -> None:
        if (fresh or identity).rules.on_revoke == "finish":
            return
        stopped = [each for each, (owner, _) in self._running.items() if owner.key_hash == identity.key_hash]
        for exchange in stopped:
            reason = InvalidKey(f"{_reason(fresh)} The answer ends here.", code="invalid_api_key")
            exchange.stop(self._running[exchange][1], reason)
        _log.warning(
            "%d running requests of key %s, which may not be used any more, end", len(stopped), identity.key.id
        )


def _reason(fresh: Identity | None) -> str:
    if fresh is not None and fresh.project.archived_at is not None:
        return "The project of this API key has been archived."
    if fresh is not None and fresh.key.revoked_at is None and fresh.key.disabled:
        return "This API key has been disabled."
    return "This API key has been revoked."
