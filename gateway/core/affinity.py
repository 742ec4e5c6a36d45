"""Which conversation a call belongs to: an opaque word by which the upstream may keep it where its prefix is cached.

Derived from the key and the first turns, which stay the same while a conversation grows. Nothing of them can be read
back from it, and two keys never share one.
"""

from hashlib import blake2b

from gateway.core.call import Call

_TURNS = 2  # the system message and the first question, as a rule
_CHARS = 2_000  # of each; enough to tell conversations apart, bounded for long documents


def session_affinity(key_id: str, call: Call) -> str:
    """32 hex digits, the same for every turn of a conversation."""
    digest = blake2b(key_id.encode(), digest_size=16)
    for message in call.messages[:_TURNS]:
        digest.update(f"\0{message.role}\0{message.content[:_CHARS]}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
