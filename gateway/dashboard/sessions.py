"""Browser sessions: a random token in a cookie, and in the store whom it stands for, until when.

A session reads; it never spends or changes anything, so it is no key. Its record is sealed with the admin key: whoever
can write to the store alone cannot make one, and a new root key ends them all. A session ends with the key, virtual or
admin, that opened it. Tokens are stored as hashes only.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

import msgspec

from gateway.core.errors import InvalidKey
from gateway.core.records import Identity, Project
from gateway.core.viewer import Viewer
from gateway.keys import hash_secret, is_well_formed, load_admin_key, load_identity
from gateway.store.contract import Store
from gateway.store.layout import Layout
from gateway.store.stored import stored

COOKIE = "gateway_session"
SESSION_SECONDS = 8 * 3600  # a working day; then the key has to be shown again

_TOKEN_BYTES = 32
_LONGEST_TOKEN = 64


class _Record(msgspec.Struct, omit_defaults=True):
    """A session as it lies in the store. Both hashes are empty for who signed in with the root admin key."""

    expires: int  # unix seconds, by the store's clock
    key_hash: str
    seal: str
    admin_hash: str = ""  # of an admin key


@dataclass(slots=True, frozen=True)
class Session:
    """A session that holds now. `identity` is None for an administrator, and `project` is that of an administrator of
    one project; `expires` is unix seconds.
    """

    expires: int
    identity: Identity | None
    project: Project | None = None

    @property
    def viewer(self) -> Viewer:
        """What it may read."""
        if self.identity is None:
            return Viewer(self.project.id if self.project else None)
        return Viewer(self.identity.project.id, self.identity.key.id)


_encode = msgspec.json.Encoder().encode
_decode = stored(_Record, "session")
_decode_project = stored(Project, "project")


class Sessions:
    """The sessions of all replicas that share a store and an admin key."""

    def __init__(self, store: Store, layout: Layout, admin_key: str) -> None:
        self._store = store
        self._layout = layout
        # A key of its own: a seal says nothing that would help with anything else made of the admin key.
        self._sealing_key = hmac.new(admin_key.encode(), b"dashboard session", hashlib.sha256).digest()

    async def identify(self, secret: str) -> Identity | None:
        """Whom a virtual key stands for now, None for nobody. Raises StoreAway."""
        if not is_well_formed(secret):
            return None
        return await self._valid_identity(hash_secret(secret), await self._now())

    async def open(self, identity: Identity | None, admin_hash: str = "") -> tuple[str, Session]:
        """A new session of a key, or of an administrator; the token is the cookie's value. Raises StoreAway."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        expires = await self._now() + SESSION_SECONDS
        record = _Record(expires, "" if identity is None else identity.key_hash, "", admin_hash)
        sealed = msgspec.structs.replace(record, seal=self._seal(token, record))
        await self._store.command("SET", self._place(token), _encode(sealed), "EX", SESSION_SECONDS)
        session = Session(expires, identity) if identity is not None else await self._admin_session(record)
        if session is None:
            raise InvalidKey("This admin key has just been revoked.", code="invalid_api_key")
        return token, session

    async def find(self, cookies: str) -> Session | None:
        """The session of a Cookie header that still holds. Raises StoreAway."""
        token = _read_token(cookies)
        if token is None:
            return None
        data = await self._store.command("GET", self._place(token))
        record = None if data is None else _decode(data)
        if record is None or not hmac.compare_digest(record.seal, self._seal(token, record)):
            return None
        now = await self._now()
        if record.expires <= now:
            return None
        if not record.key_hash:
            return await self._admin_session(record)
        identity = await self._valid_identity(record.key_hash, now)
        return None if identity is None else Session(record.expires, identity)

    async def find_viewer(self, cookies: str) -> Viewer | None:
        """What the owner of a Cookie header may read; None for nobody. Raises StoreAway."""
        session = await self.find(cookies)
        return None if session is None else session.viewer

    async def close(self, cookies: str) -> None:
        """End the session of a Cookie header, on every replica. Raises StoreAway."""
        token = _read_token(cookies)
        if token is not None:
            await self._store.command("DEL", self._place(token))

    async def _now(self) -> int:
        return int((await self._store.command("TIME"))[0])

    async def _valid_identity(self, key_hash: str, now: int) -> Identity | None:
        identity = await load_identity(self._store, self._layout, key_hash)
        return identity if identity is not None and identity.is_valid(now) else None

    async def _admin_session(self, record: _Record) -> Session | None:
        if not record.admin_hash:
            return Session(record.expires, None)
        admin = await load_admin_key(self._store, self._layout, record.admin_hash)
        if admin is None:
            return None
        if admin.project_id is None:
            return Session(record.expires, None)
        project = await self._store.command("HGET", self._layout.project(admin.project_id), "data")
        return None if project is None else Session(record.expires, None, _decode_project(project))

    def _place(self, token: str) -> str:
        return self._layout.shared("session", hashlib.sha256(token.encode()).hexdigest())

    def _seal(self, token: str, record: _Record) -> str:
        sealed = f"{token}|{record.expires}|{record.key_hash}|{record.admin_hash}"
        return hmac.new(self._sealing_key, sealed.encode(), hashlib.sha256).hexdigest()


def _read_token(cookies: str) -> str | None:
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return None
    is_token = found is not None and found.value.isascii() and 0 < len(found.value) <= _LONGEST_TOKEN
    return found.value if found is not None and is_token else None
