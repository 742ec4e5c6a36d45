"""Bearer token → identity. Makes secrets, knows them only by their SHA-256, and caches who they stand for.

The cache saves round trips and is never trusted for permission: the hold step compares record versions in the store.
What has no hold asks `find_fresh`. Only while the store is away, and only for keys whose rules allow it, the records
known last are taken for what they were. Secrets and tokens are never logged and never part of an error.
"""

import hmac
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

import msgspec

from gateway.core.errors import StoreAway
from gateway.core.records import AdminKey, Identity, Key, Organization, Project
from gateway.guesses import Guesses, Outcome, uncounted
from gateway.store.contract import Store
from gateway.store.layout import Layout
from gateway.store.stored import stored

PREFIX = "sk-"
ADMIN_PREFIX = "sk-admin-"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LENGTH = 43  # 62**43 > 2**256: base 62 digits of 256 random bits
_CHECK_LENGTH = 6  # 62**6 > 2**32: a CRC-32

CACHE_SECONDS = 60.0
CACHE_SIZE = 4096  # identities, about 1.5 KB each

_decode_key = stored(Key, "key")
_decode_admin_key = stored(AdminKey, "admin key")
_decode_project = stored(Project, "project")
_decode_organization = stored(Organization, "organization")
_encode = msgspec.json.Encoder().encode


def new_secret(prefix: str = PREFIX) -> str:
    """A new key: `sk-`, 256 random bits, and a check suffix that lets typos be refused offline."""
    body = _base62(secrets.randbits(256), _BODY_LENGTH)
    return f"{prefix}{body}{_check(body)}"


def is_well_formed(secret: str, prefix: str = PREFIX) -> bool:
    """Whether a secret can have come from `new_secret`: shape and check suffix."""
    if len(secret) != len(prefix) + _BODY_LENGTH + _CHECK_LENGTH or not secret.startswith(prefix):
        return False
    body, check = secret[len(prefix) : -_CHECK_LENGTH], secret[-_CHECK_LENGTH:]
    return hmac.compare_digest(_check(body).encode(), check.encode("utf-8", "surrogateescape"))


def hash_secret(secret: str) -> str:
    """SHA-256, hex: the only form in which a secret reaches the store."""
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def redact(secret: str, prefix: str = PREFIX) -> str:
    """`sk-…abcd`: enough to recognise a key by, nothing to use it with."""
    return f"{prefix}…{secret[-4:]}"


class Keyring:
    """Finds identities, with a small cache by hash. `clock` is unix seconds.

    `guesses` knows who presented tokens of nobody; `count` is told of each of them.
    """

    def __init__(
        self,
        store: Store,
        layout: Layout,
        clock: Callable[[], float],
        count: Callable[[Outcome], None] = uncounted,
    ) -> None:
        self._store = store
        self._layout = layout
        self._clock = clock
        self.guesses = Guesses(clock, count)
        self._cache: OrderedDict[str, tuple[float, Identity]] = OrderedDict()

    async def find(self, token: str, address: str = "") -> Identity | None:
        """Who the token stood for when last looked up, None for nobody. `address` presents it, where that is known.

        Raises StoreAway, and RateLimited where too many tokens of nobody came from that address.
        """
        key_hash = hash_secret(token)
        cached = self._cache.get(key_hash)
        now = self._clock()
        if cached is not None and (now < cached[0] or (not self._store.is_answering and _may_go_on(cached[1]))):
            if cached[1].is_valid(now):
                return cached[1]
            self.guesses.note(address)
            return None
        return await self.find_fresh(token, address)

    async def find_fresh(self, token: str, address: str = "") -> Identity | None:
        """Who the token stands for now, by the store's word: for endpoints without a hold. Raises as `find`."""
        self.guesses.check(address)
        # Only what the cache does not know has its check suffix looked at: that costs 5 µs.
        found = await self._look_up(hash_secret(token)) if is_well_formed(token) else None
        if found is None:
            self.guesses.note(address)
        return found

    def replace(self, identity: Identity) -> None:
        """The hold found newer records than the cached ones."""
        self._cache[identity.key_hash] = (self._clock() + CACHE_SECONDS, identity)
        self._cache.move_to_end(identity.key_hash)
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)

    def forget(self, key_hash: str) -> None:
        """The hold found the key revoked."""
        self._cache.pop(key_hash, None)

    async def _look_up(self, key_hash: str) -> Identity | None:
        try:
            identity = await load_identity(self._store, self._layout, key_hash)
        except StoreAway:
            cached = self._cache.get(key_hash)
            if cached is None or not _may_go_on(cached[1]):
                raise
            return cached[1] if cached[1].is_valid(self._clock()) else None
        if identity is None or not identity.is_valid(self._clock()):
            self.forget(key_hash)
            return None
        self.replace(identity)
        return identity


def _may_go_on(identity: Identity) -> bool:
    """Whether the last known records serve while the store is away."""
    return identity.rules.on_store_down == "allow"


async def load_identity(store: Store, layout: Layout, key_hash: str) -> Identity | None:
    """The three records of a key as the store has them, valid or not; None where one of them is missing."""
    found = await store.command("HGET", layout.key(key_hash), "data")
    if found is None:
        return None
    key = _decode_key(found)
    project, organization = await store.pipeline(
        [("HGET", layout.project(key.project_id), "data"), ("HGET", layout.shared("org"), "data")]
    )
    if project is None or organization is None:
        return None
    return Identity(_decode_organization(organization), _decode_project(project), key, key_hash)


async def load_admin_key(store: Store, layout: Layout, key_hash: str) -> AdminKey | None:
    """An admin key that may be used now, by the store's clock; None for any other."""
    found, moment = await store.pipeline([("HGET", layout.admin_key(key_hash), "data"), ("TIME",)])
    key = None if found is None else _decode_admin_key(found)
    return key if key is not None and key.is_valid(int(moment[0])) else None


async def ensure_organization(store: Store, layout: Layout) -> Organization:
    """The organisation's record, made on the first start. Several gateways may start at once: the first one wins."""
    name = layout.shared("org")
    first = Organization(id=f"org_{secrets.token_hex(12)}", version=1)
    made = await store.script("ensure_organization", [name], [_encode(first), first.version])
    return _decode_organization(made)


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode("utf-8", "surrogateescape")), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
