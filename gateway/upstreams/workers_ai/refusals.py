"""What a refusal of Workers AI means: the envelopes it comes in, the codes inside, and how the gateway takes each.

Decides the kind of a `Failure` (which decides retry and the client's status) and what of the upstream's words may be
shown: never an account id, never a credential. The code wins over the HTTP status, the status over the text.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.core.answer import Failure, FailureKind
from gateway.core.split_characters import Joiner, mark
from gateway.upstreams.workers_ai.shapes import number_of, read_fields, string_of

KINDS: Final[dict[int, FailureKind]] = {
    971: "rate_limited",  # the API-wide limit; all calls of the token are blocked for five minutes
    2001: "not_authorized",  # AI Gateway: not configured
    2003: "rate_limited",
    2008: "retired",
    2009: "not_authorized",
    2014: "server_error",
    2021: "quota",  # AI Gateway: credits used up
    2045: "quota",  # AI Gateway: a spend rule
    3001: "server_error",
    3003: "rejected",
    3006: "rejected",  # too many bytes: no other model helps
    3007: "server_error",
    3008: "server_error",
    3010: "too_long",
    3023: "not_authorized",
    3030: "rejected",
    3036: "quota",
    3039: "rejected",
    3040: "capacity",
    3041: "not_authorized",
    3042: "retired",
    3043: "server_error",
    3046: "server_error",
    4006: "quota",  # what the daily allocation really arrives as
    5004: "rejected",
    5005: "rejected",
    5006: "rejected",
    5007: "retired",  # no such model: for routing the same as one that is gone
    5016: "not_authorized",  # model terms not agreed to: an operator has to act
    5018: "not_authorized",
    5019: "rejected",
    5021: "too_long",
    5023: "unmet",  # JSON that this model cannot be made to give: another one may
    5024: "unmet",
    5025: "unmet",
    5028: "retired",
    5035: "not_authorized",
    7000: "rejected",
    7003: "retired",
    8001: "rejected",
    8005: "server_error",
    8007: "rejected",
    10000: "not_authorized",
    10429: "rate_limited",
}

_KINDS_BY_STATUS: Final[dict[int, FailureKind]] = {
    401: "not_authorized",
    402: "quota",
    403: "not_authorized",
    408: "server_error",
    409: "server_error",  # Cloudflare's own client retries it
    410: "retired",
    413: "too_long",
    429: "rate_limited",
}

_API_WIDE_CODES: Final = (971, 10429)
_API_WIDE_BLOCK_SECONDS: Final = 300.0
_LONGEST_MESSAGE: Final = 600

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TRAILING_ID = re.compile(rf"\s*\(({_UUID})\)\s*\Z", re.IGNORECASE)
_PREFIX = re.compile(r"\s*(?:(?:AiError|Ai)\s*:\s*)+")
_NUMBERED = re.compile(r"\A\s*(\d{3,5}): ")
_WINDOW = re.compile(r"context window limit \((\d+)\)|maximum context length is (\d+) tokens")
_BUSY = re.compile(r"capacity temporarily exceeded|overloaded", re.IGNORECASE)
_SECRETS: Final = (
    (re.compile(r"\b[Aa]ccount \w+ is\b"), "This account is"),
    (re.compile(r"\bBearer\s+\S+"), "[hidden]"),
    (re.compile(r"accounts/[^/\s\"']+"), "accounts/[hidden]"),
    (re.compile(r"(?<![\w-])[0-9a-fA-F]{32}(?![\w-])"), "[hidden]"),  # an account id
    (re.compile(r"(?<![\w@/.-])[\w-]{37,}(?![\w/.])"), "[hidden]"),  # an API token; a UUID has 36
)


def failure(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The refusal in any envelope, or none: HTML and empty bodies are told by their status."""
    fields = read_fields(mark(body)) or {}  # broken characters must not hide what else is there
    error = _first_error(fields)
    code = _code(error) or _code(fields)
    message, trailing_id = _unwrap(string_of(error.get("message")) or string_of(error.get("description")) or "")
    numbered = _NUMBERED.match(message)
    if numbered:
        code, message = code or int(numbered[1]), _PREFIX.sub("", message[numbered.end() :], count=1)
    window = _WINDOW.search(message)
    kind = _kind(code, status, message, is_too_long=window is not None)
    return Failure(
        kind=kind,
        message=scrub(Joiner().feed(message)) or f"Workers AI answered with HTTP status {status}.",
        status=status,
        code=code,
        request_id=headers.get("cf-ai-req-id") or string_of(fields.get("requestId")) or trailing_id,
        retry_after=_retry_after(headers, code),
        limit_tokens=int(window[1] or window[2]) if window else None,
    )


def scrub(message: str) -> str:
    """An upstream's sentence without account ids and credentials, and of bounded length."""
    for pattern, replacement in _SECRETS:
        message = pattern.sub(replacement, message)
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"


def _first_error(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """`errors[0]`, `errors`, `error[0]`, `error`, else the top level: the order of workers-ai's envelopes."""
    for name in ("errors", "error"):
        raw = bytes(fields.get(name, b""))
        if raw.startswith(b"["):
            items = msgspec.json.decode(raw, type=list[msgspec.Raw])
            raw = bytes(items[0]) if items else b""
        found = read_fields(raw)
        if found:
            return found
        if raw.startswith(b'"'):
            return {"message": msgspec.Raw(raw)}
    return fields


def _code(fields: dict[str, msgspec.Raw]) -> int | None:
    for name in ("code", "internalCode"):
        number = number_of(fields.get(name))
        if number is not None and 0 < number < 1_000_000:
            return int(number)
    return None


def _unwrap(message: str) -> tuple[str, str | None]:
    """A message without its repeated prefixes, its trailing request id and the JSON it may be wrapped in."""
    found = _TRAILING_ID.search(message)
    message = message[: found.start()] if found else message
    message = _PREFIX.sub("", message, count=1) if _PREFIX.match(message) else message.strip()
    inner = read_fields(message.encode("utf-8", "replace")) if message.startswith("{") else None
    if inner:
        error = _first_error(inner)
        message = string_of(error.get("message")) or message
        details = bytes(error.get("details", b"")).decode()
        message = f"{message}: {details}" if details not in ("", "null", "{}") else message
    return message, found[1].lower() if found else None


def _kind(code: int | None, status: int, message: str, *, is_too_long: bool) -> FailureKind:
    kind = KINDS.get(code) if code is not None else None
    if kind is None:
        kind = _KINDS_BY_STATUS.get(status)
    if kind is None:
        # A 2xx or 3xx that refuses without a known code is the service's trouble, not the caller's.
        kind = "rejected" if 400 <= status < 500 else "server_error"
    if kind not in ("rejected", "server_error"):
        return kind
    # The engine's own overflow text, and overload without its code, come under general codes and statuses.
    if is_too_long:
        return "too_long"
    return "capacity" if _BUSY.search(message) and code is None else kind


def _retry_after(headers: Mapping[str, str], code: int | None) -> float | None:
    """Seconds. An HTTP date is not read: that needs a clock."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        seconds = -1.0
    if 0 <= seconds < 86_400 * 7:
        return seconds
    return _API_WIDE_BLOCK_SECONDS if code in _API_WIDE_CODES else None
