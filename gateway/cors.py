"""Cross-origin requests from browsers: which pages may call the API, answered around everything else.

Off unless `server.cors_origins` names an origin, and then only for the client API: an administrator's key does not
belong into a page. Cookies are never allowed along, so `*` gives a page nothing that its own key does not. Decides and
adds headers; reads no body and asks nobody.
"""

import re
from collections.abc import Sequence
from typing import Final

from gateway.relay import AsgiEvent, Headers, Scope, Send

ANY: Final = "*"

# What a page may read of an answer; everything else a browser hides from it.
EXPOSED: Final = (
    "x-request-id",
    "openai-processing-ms",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
)
_OURS: Final = b"x-gateway-"
_PREFLIGHT_SECONDS: Final = 600
_LONGEST_LIST: Final = 4096
_HEADER_LIST: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]*")  # header names (RFC 9110), commas, blanks
_NO_HEADERS: Final = b""


class CrossOrigin:
    """The pages of these origins may call; `*` stands for every page."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origin.encode("ascii") for origin in origins)
        self._is_open = ANY in origins

    def allows(self, scope: Scope) -> bool:
        """Whether this request comes from a page that may call, for a URL that pages may call."""
        path = scope["path"]
        if not path.startswith("/v1/") or path.startswith("/v1/organization"):
            return False
        origin = _header(scope, b"origin")
        return bool(origin) and (self._is_open or origin in self._origins)

    async def preflight(self, scope: Scope, send: Send) -> None:
        """Answer a browser's question before it sends the request. No key is asked for: browsers send none."""
        wanted = _header(scope, b"access-control-request-headers")
        if len(wanted) > _LONGEST_LIST or not _HEADER_LIST.fullmatch(wanted):
            wanted = _NO_HEADERS
        headers = [
            *_allowance(scope),
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (b"access-control-allow-headers", wanted),
            (b"access-control-max-age", b"%d" % _PREFLIGHT_SECONDS),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def opened(self, scope: Scope, send: Send) -> Send:
        """`send` with what lets the page read the answer, errors included."""

        async def send_readable(event: AsgiEvent) -> None:
            if event["type"] == "http.response.start":
                headers: Headers = list(event["headers"])
                event = {**event, "headers": [*headers, *_allowance(scope), _exposed(headers)]}
            await send(event)

        return send_readable


def is_preflight(scope: Scope) -> bool:
    """Whether a browser asks before it sends."""
    return scope["method"] == "OPTIONS" and bool(_header(scope, b"access-control-request-method"))


def _allowance(scope: Scope) -> Headers:
    # The origin itself even where all are allowed: the answer is then right for caches as well.
    return [(b"access-control-allow-origin", _header(scope, b"origin")), (b"vary", b"Origin")]


def _exposed(headers: Headers) -> tuple[bytes, bytes]:
    """The list of readable headers: the fixed ones, and ours among those sent."""
    ours = [name.decode("latin-1") for name, _ in headers if name.startswith(_OURS)]
    return b"access-control-expose-headers", ", ".join((*EXPOSED, *dict.fromkeys(ours))).encode()


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")
