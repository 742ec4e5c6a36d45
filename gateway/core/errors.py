"""Every refusal a client can meet, in OpenAI's four-key envelope.

GatewayError
├── CallerError              the caller's fault; repeating the request does not help
│   ├── InvalidRequest       400  a parameter is missing, of the wrong type or out of range
│   │   └── ContextTooLong   400  no window is large enough
│   ├── InvalidKey           401  no key, an unknown, revoked or expired one
│   ├── Forbidden            403  the key may not do this
│   ├── NotFound             404  unknown model, URL or object
│   ├── MethodNotAllowed     405
│   ├── Conflict             400  the object's state does not allow it
│   └── BodyTooLarge         413
├── PolicyError              a limit somebody set
│   ├── SpendLimitReached    429  a hard budget is used up; waiting does not help
│   └── RateLimited          429  a rate of requests, or how many run at once; waiting helps
│       └── TokensLimited    429  a rate of tokens
├── UpstreamError            Workers AI's fault, or the way to it
│   ├── UpstreamNotAuthorized 502 our credentials were refused; never the caller's 401
│   ├── UpstreamQuotaUsedUp  429  the account's daily allocation
│   ├── AnswerUnmet          502  the model did not answer in the form that was asked for
│   ├── UpstreamOverloaded   503  no capacity anywhere; waiting helps
│   └── UpstreamFailed       502  it broke, or answered what nobody can read
└── ServiceError             ours
    ├── StoreAway            503  the accounting store cannot be reached, so nothing may be spent
    ├── RecordUnreadable     503  what the store holds was written by another version, or is damaged
    └── InternalError        500

Status, type and code sit on the class and follow OpenAI's published errors; a call may name a more special code.
"""

from typing import ClassVar

import msgspec

_encode = msgspec.json.Encoder().encode


class GatewayError(Exception):
    """A refusal. `message` is shown to the client; `param` names the offending parameter as a path.

    `should_retry` is for the single case in which the class's word does not hold.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None
    should_retry: ClassVar[bool | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
        details: dict[str, str | int | None] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.default_code
        self.retry_after = retry_after
        self.advice = self.should_retry if should_retry is None else should_retry
        self.details = details

    def envelope(self) -> bytes:
        """The JSON body: `{"error": {message, type, param, code}}`, and `gateway` beside it where there are details."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        body: dict[str, object] = {"error": error}
        if self.details is not None:
            body["gateway"] = self.details
        return _encode(body)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Retry advice: `x-should-retry`, and `retry-after(-ms)` where waiting helps."""
        found: list[tuple[bytes, bytes]] = []
        if self.advice is not None:
            found.append((b"x-should-retry", b"true" if self.advice else b"false"))
        if self.retry_after is not None:
            found.append((b"retry-after", b"%d" % max(1, -(-self.retry_after // 1))))
            found.append((b"retry-after-ms", b"%d" % max(1, round(self.retry_after * 1000))))
        return found


class CallerError(GatewayError):
    """The caller's fault."""

    type = "invalid_request_error"


class InvalidRequest(CallerError):
    """A parameter is missing, malformed, out of range or not offered."""

    status = 400


class ContextTooLong(InvalidRequest):
    """No eligible model has a window for this prompt."""

    default_code = "context_length_exceeded"


class InvalidKey(CallerError):
    """The bearer token is missing or stands for nobody."""

    status = 401


class Forbidden(CallerError):
    """The key is known and may not do this."""

    status = 403


class NotFound(CallerError):
    """There is no such model, URL or object."""

    status = 404


class MethodNotAllowed(CallerError):
    """The URL exists, the method does not."""

    status = 405
    default_code = "method_not_supported"


class Conflict(CallerError):
    """The object's state does not allow this. 400, because clients retry a 409."""

    status = 400


class BodyTooLarge(CallerError):
    """The body is larger than `server.max_body_bytes`."""

    status = 413
    default_code = "request_too_large"


class PolicyError(GatewayError):
    """A limit somebody set."""

    status = 429


class SpendLimitReached(PolicyError):
    """A hard budget does not cover this request."""

    type = "insufficient_quota"
    default_code = "insufficient_quota"
    should_retry = False


class RateLimited(PolicyError):
    """A rate limit; `retry_after` says when to come again."""

    type = "requests"
    default_code = "rate_limit_exceeded"


class TokensLimited(RateLimited):
    """A rate limit on tokens."""

    type = "tokens"


class UpstreamError(GatewayError):
    """Workers AI did not do it."""

    status = 502


class UpstreamNotAuthorized(UpstreamError):
    """Cloudflare refused the gateway's own credentials: an operator has to act."""

    default_code = "upstream_not_authorized"
    should_retry = False


class UpstreamQuotaUsedUp(UpstreamError):
    """The Cloudflare account's daily allocation is gone until 00:00 UTC."""

    status = 429
    type = "insufficient_quota"
    default_code = "insufficient_quota"
    should_retry = False


class AnswerUnmet(UpstreamError):
    """Asked twice, the model did not give valid JSON or the call that had to be made; asking on costs money."""

    default_code = "model_output_invalid"
    should_retry = False


class UpstreamOverloaded(UpstreamError):
    """No candidate has capacity now."""

    status = 503
    type = "service_unavailable_error"
    default_code = "server_is_overloaded"


class UpstreamFailed(UpstreamError):
    """The upstream broke, cut the connection or answered what nobody can read."""

    default_code = "server_error"


class ServiceError(GatewayError):
    """Ours."""

    status = 503


class StoreAway(ServiceError):
    """The accounting store cannot be used, so nothing may be spent."""

    type = "service_unavailable_error"
    default_code = "store_unavailable"


class RecordUnreadable(ServiceError):
    """A record in the store cannot be read; until an operator has acted, asking again does not help."""

    default_code = "stored_record_unreadable"
    should_retry = False


class InternalError(ServiceError):
    """A broken promise of ours; the log has it under the request id."""

    status = 500
