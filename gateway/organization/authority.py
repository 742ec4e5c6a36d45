"""Who may use the admin API: whoever presents the admin key. It never decides what a virtual key may do."""

import hashlib
import hmac

from gateway.core.errors import InvalidKey

# The last characters of a wrong key are shown so that its owner can tell which one was sent; short ones not at all.
_SHOWN_CHARACTERS = 4
_SHORTEST_SHOWN = 20


class AdminAuth:
    """Compares bearer tokens with the admin key, in a time that says nothing about it."""

    def __init__(self, admin_key: str) -> None:
        if not admin_key:
            raise AssertionError("an empty admin key would admit anybody: the supervisor generates one")
        # Digests have one length, so neither length nor content of the key shows in the comparison's time.
        self._digest = hashlib.sha256(admin_key.encode()).digest()

    def admit(self, authorization: str | None) -> str:
        """The name of the admin for the audit stream. Raises InvalidKey."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise InvalidKey(
                "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                "Bearer auth (i.e. Authorization: Bearer YOUR_KEY). This endpoint takes the gateway's admin key."
            )
        if not self.recognizes(token):
            raise InvalidKey(
                f"Incorrect API key provided: {_mask(token)}. This endpoint takes the gateway's admin key: "
                "GATEWAY_ADMIN_KEY, or the file admin-key in the gateway's data directory.",
                code="invalid_api_key",
            )
        return "admin"

    def recognizes(self, token: str) -> bool:
        """Whether this is the admin key."""
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        return hmac.compare_digest(given, self._digest)


def _mask(token: str) -> str:
    shown = token[-_SHOWN_CHARACTERS:] if len(token) >= _SHORTEST_SHOWN and token.isascii() else ""
    return f"{token[:3] if shown else ''}…{shown}"
