"""Who may use the admin API, and how far: the root key of the configuration, or an admin key of the store.

It never decides what a virtual key may do.
"""

import hashlib
import hmac
from dataclasses import dataclass

from gateway.core.errors import InvalidKey
from gateway.core.viewer import Viewer
from gateway.keys import ADMIN_PREFIX, hash_secret, is_well_formed, load_admin_key
from gateway.store.contract import Store
from gateway.store.layout import Layout

# The last characters of a wrong key are shown so that its owner can tell which one was sent; short ones not at all.
_SHOWN_CHARACTERS = 4
_SHORTEST_SHOWN = 20


@dataclass(slots=True, frozen=True)
class Admission:
    """An administrator: name and id for the audit stream, and what may be seen and done. `key_hash` is empty for the
    root key.
    """

    name: str
    key_id: str
    viewer: Viewer
    key_hash: str = ""


ROOT = Admission("admin", "admin", Viewer(can_change=True))


class AdminAuth:
    """Compares bearer tokens with the root key, in a time that says nothing about it; others are found by hash."""

    def __init__(self, admin_key: str, store: Store, layout: Layout) -> None:
        if not admin_key:
            raise AssertionError("an empty admin key would admit anybody: the supervisor generates one")
        # Digests have one length, so neither length nor content of the key shows in the comparison's time.
        self._digest = hashlib.sha256(admin_key.encode()).digest()
        self._store = store
        self._layout = layout

    async def admit(self, authorization: str | None) -> Admission:
        """Who it is; the use is noted. Raises InvalidKey, StoreAway."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise InvalidKey(
                "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                "Bearer auth (i.e. Authorization: Bearer YOUR_KEY). This endpoint takes an admin key of the gateway."
            )
        admission = await self.identify(token)
        if admission is None:
            raise InvalidKey(
                f"Incorrect API key provided: {_mask(token)}. This endpoint takes an admin key of the gateway: "
                "GATEWAY_ADMIN_KEY, the file admin-key in the gateway's data directory, or one made by "
                "`gateway admin-keys create`.",
                code="invalid_api_key",
            )
        return admission

    async def identify(self, token: str) -> Admission | None:
        """The administrator behind a key, None for any other key; the use is noted. Raises StoreAway."""
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        if hmac.compare_digest(given, self._digest):
            return ROOT
        if not is_well_formed(token, ADMIN_PREFIX):
            return None
        key_hash = hash_secret(token)
        key = await load_admin_key(self._store, self._layout, key_hash)
        if key is None:
            return None
        moment = (await self._store.command("TIME"))[0]
        await self._store.command("HSET", self._layout.shared("admin_keys_used"), key.id, moment)
        return Admission(key.name, key.id, Viewer(key.project_id, can_change=key.role == "admin"), key_hash)

    async def key_hash(self, token: str) -> str | None:
        """The hash of an admin key, empty for the root key, None for any other key. Raises StoreAway."""
        admission = await self.identify(token)
        return None if admission is None else admission.key_hash


def _mask(token: str) -> str:
    shown = token[-_SHOWN_CHARACTERS:] if len(token) >= _SHORTEST_SHOWN and token.isascii() else ""
    return f"{token[:3] if shown else ''}…{shown}"
