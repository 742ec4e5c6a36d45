"""What to do after a failed attempt, and what to tell the client when nothing is left to do.

A table over the kind of failure. It never waits and never draws a random number: the caller passes the jitter in and
sleeps for the answer. After the first byte has reached the client nothing is ever retried, so that row is one line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.core.answer import Failure, FailureKind
from gateway.core.catalog import Model
from gateway.core.errors import (
    AnswerUnmet,
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    NotFound,
    UpstreamFailed,
    UpstreamNotAuthorized,
    UpstreamOverloaded,
    UpstreamQuotaUsedUp,
)

Move = Literal["again", "elsewhere", "once", "whole", "stop"]

MOVES: Mapping[FailureKind, Move] = {
    # `again`: another model first, the same one after a pause. The request did not run, or ran into nothing.
    "connect": "again",
    "capacity": "again",
    "first_byte_timeout": "again",
    "server_error": "again",
    "malformed": "again",
    "cut": "again",
    # `elsewhere`: this model cannot answer this request; another may.
    "retired": "elsewhere",
    "too_long": "elsewhere",
    # `once`: the model answered, and was paid, but not in the form that was asked for; a second time may do.
    "unmet": "once",
    # `whole`: the stream was billed and brought nothing; without streaming the same model has the text.
    "hollow": "whole",
    # `stop`: it is about the account or the request, so every model would say the same.
    "quota": "stop",
    "rate_limited": "stop",
    "not_authorized": "stop",
    "rejected": "stop",
}

_FIRST_PAUSE = 0.25  # seconds
_LONGEST_PAUSE = 8.0  # seconds; workers-ai capacity errors clear within 0.5 to 8 s
_DAY = 86_400  # seconds; the allocation is renewed at 00:00 UTC
_API_BLOCK = 300.0  # seconds Cloudflare blocks all API calls of a user after the API-wide limit


@dataclass(slots=True, frozen=True)
class Retry:
    """Try candidate number `candidate` after `pause` seconds; `is_whole`: without streaming."""

    candidate: int
    pause: float
    is_whole: bool = False


@dataclass(slots=True)
class Attempts:
    """Which candidates of one request were tried and which are out. Owned by dispatch, one per request."""

    count: int  # candidates in the plan
    limit: int  # attempts allowed in all
    made: int = 0
    excluded: int = 0  # bit set over candidate numbers
    unmet: int = 0  # answers that were not in the form asked for
    is_whole: bool = False  # a stream was asked again without streaming
    is_doubted: bool = False  # the last model left said that it is retired, and was asked again

    def next(self, failure: Failure, candidate: int, jitter: float) -> Retry | None:
        """Where to go after `failure` of `candidate`; None means give up. `jitter` is in [0, 1)."""
        move = MOVES[failure.kind]
        if move == "whole" and not self.is_whole:  # beside `limit`: half of an attempt is missing
            self.is_whole = True
            self.limit += 1
            return Retry(candidate, 0.0, is_whole=True)
        if move == "stop" or self.made >= self.limit:
            return None
        if move == "once":
            self.unmet += 1
            if self.unmet > 1:
                return None
        if move == "elsewhere":
            self.excluded |= 1 << candidate
        following = self._following(candidate)
        if following is None:
            return self._confirm(failure, candidate, jitter)
        is_first_visit = self.made < self.count and following > candidate
        return Retry(following, 0.0 if is_first_visit else self._pause(failure, jitter))

    def _confirm(self, failure: Failure, candidate: int, jitter: float) -> Retry | None:
        """One odd answer must not turn a live model into an unknown one where no other could answer."""
        if failure.kind != "retired" or self.is_doubted:
            return None
        self.is_doubted = True
        return Retry(candidate, self._pause(failure, jitter))

    def _following(self, candidate: int) -> int | None:
        for step in range(1, self.count + 1):
            number = (candidate + step) % self.count
            if not self.excluded >> number & 1:
                return number
        return None

    def _pause(self, failure: Failure, jitter: float) -> float:
        rounds = max(0, self.made // self.count - 1)
        backed_off = min(_LONGEST_PAUSE, _FIRST_PAUSE * (1 << rounds)) * (0.5 + jitter / 2)
        return max(backed_off, min(failure.retry_after or 0.0, _LONGEST_PAUSE))


def _too_long(failure: Failure) -> GatewayError:
    window = failure.limit_tokens
    text = f"This model's maximum context length is {window} tokens. " if window else ""
    return ContextTooLong(f"{text}The upstream refused the request: {failure.message}", param="messages")


def _failed(text: str) -> Callable[[Failure], GatewayError]:
    return lambda failure: UpstreamFailed(f"{text}: {failure.message}")


_ERRORS: Mapping[FailureKind, Callable[[Failure], GatewayError]] = {
    "connect": lambda failure: UpstreamOverloaded(f"Workers AI cannot be reached: {failure.message}", retry_after=1.0),
    "capacity": lambda failure: UpstreamOverloaded(
        "The server is currently overloaded, please try again later.", retry_after=failure.retry_after or 1.0
    ),
    "first_byte_timeout": lambda failure: UpstreamOverloaded(
        f"Workers AI did not answer in time: {failure.message}", retry_after=1.0
    ),
    "quota": lambda failure: UpstreamQuotaUsedUp(
        "The Cloudflare account has used up its daily free allocation of Workers AI; it is renewed at 00:00 UTC.",
        details={"scope": "account", "kind": "neurons", "window": "day"},
    ),
    "rate_limited": lambda failure: UpstreamOverloaded(
        "Cloudflare is limiting the rate of API calls of this account.", retry_after=failure.retry_after or _API_BLOCK
    ),
    "not_authorized": lambda failure: UpstreamNotAuthorized(
        "Cloudflare refused the gateway's own credentials. Tell whoever runs this gateway; your key is fine."
    ),
    "retired": lambda failure: NotFound(
        f"Cloudflare does not serve this model any more: {failure.message}", code="model_not_found"
    ),
    "too_long": _too_long,
    "server_error": _failed("Workers AI failed"),
    "malformed": _failed("Workers AI sent an answer that cannot be read"),
    "unmet": lambda failure: AnswerUnmet(f"No answer in the form that was asked for: {failure.message}."),
    "hollow": _failed("Workers AI streamed an answer without content"),
    "cut": _failed("Workers AI closed the connection before its answer was complete"),
    "rejected": lambda failure: InvalidRequest(f"Workers AI refused the request: {failure.message}"),
}


def error_of(failure: Failure, model: Model, now: float) -> GatewayError:
    """What the client is told when `failure`, last seen from `model`, is final. `now` is unix seconds."""
    error = _ERRORS[failure.kind](failure)
    if isinstance(error, UpstreamQuotaUsedUp) and error.details is not None:
        error.details["resets_at"] = (int(now) // _DAY + 1) * _DAY
    if failure.kind == "retired" and model.successor:
        error.message += f" Use `{model.successor}` instead."
    return error
