"""Writing a key's record, and that of the secret it had before its last rotation. Adds to a change; reads nothing.

A record lies under the hash of a secret. Until the old secret's grace is over both its hashes have a record of the same
version, so that whatever changes the key is seen by every hold on every replica, with whichever secret it came.
"""

import msgspec

from gateway.core.records import Key, PreviousSecret
from gateway.keys import hash_secret, redact
from gateway.organization.change import Change
from gateway.organization.registry import text
from gateway.store.layout import Layout

_KEPT_SECONDS = 7 * 86_400  # a record that nobody can use any more leaves the store after that


def write_key(change: Change, layout: Layout, key_hash: str, altered: Key, moment: int) -> Key:
    """The next version of a key, under its hash and under the previous one as long as that is good."""
    previous = altered.previous
    if previous is not None and previous.until <= moment:
        altered = msgspec.structs.replace(altered, previous=None)
    after = msgspec.structs.replace(altered, version=altered.version + 1)
    change.record(layout.key(key_hash), after.version, text(after))
    if after.previous is not None:
        _write_previous(change, layout, after, after.previous)
    return after


def write_rotation(change: Change, layout: Layout, key: tuple[str, Key], secret: str, grace: tuple[int, int]) -> Key:
    """The next version of a key (its hash and record) with a new secret. `grace`: now, and until when the old is good.

    A secret from before an earlier rotation ends at once: there are never three.
    """
    old_hash, before = key
    moment, until = grace
    previous = PreviousSecret(old_hash, until, before.redacted)
    after = msgspec.structs.replace(
        before,
        version=before.version + 1,
        redacted=redact(secret),
        previous=previous if until > moment else None,
    )
    place = layout.key(hash_secret(secret))
    change.expect(place, "v", None)
    change.write("HSET", place, "v", after.version, "data", text(after))
    _write_previous(change, layout, after, previous)
    if before.previous is not None and before.previous.until > moment:
        _write_previous(change, layout, after, msgspec.structs.replace(before.previous, until=moment))
    return after


def _write_previous(change: Change, layout: Layout, key: Key, previous: PreviousSecret) -> None:
    """The key as it is for whoever still has the previous secret: it ends earlier."""
    ends = previous.until if key.expires_at is None else min(previous.until, key.expires_at)
    shown = msgspec.structs.replace(key, redacted=previous.redacted, expires_at=ends, previous=None)
    place = layout.key(previous.key_hash)
    change.record(place, key.version, text(shown))
    change.write("EXPIREAT", place, previous.until + _KEPT_SECONDS)
