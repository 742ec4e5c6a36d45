"""What a client is told when a limit is in the way: OpenAI's type and code, when to come again, and the figures.

Waiting is advised where a rolling window or the end of other requests makes room. It is advised against where a budget
is used up, where a calendar window has to end, and where the request is larger than the whole limit.
"""

from collections.abc import Mapping

from gateway.core.errors import PolicyError, RateLimited, SpendLimitReached, TokensLimited
from gateway.core.limits import shown_amount
from gateway.core.pricing import dollars_text
from gateway.core.rates import duration_text
from gateway.core.records import Identity
from gateway.ledger.contract import Refused

_CODES: Mapping[str, str] = {
    "organization": "organization_spend_limit_exceeded",
    "project": "project_spend_limit_exceeded",
    "key": "insufficient_quota",
}
_PER: Mapping[str, str] = {
    "minute": "per min",
    "hour": "per hour",
    "day": "per day",
    "week": "per week",
    "month": "per month",
    "total": "in total",
}
_CONCURRENCY_SECONDS = 1.0  # nobody knows when another request ends; clients come again with a jitter of their own


def limit_reached(refused: Refused, identity: Identity) -> PolicyError:
    """The 429 for a limit; `gateway` beside the error has scope, kind, window, limit, used, held, resets_at."""
    if refused.kind == "money":
        return _spend_limit_reached(refused, identity)
    owner = {"organization": "this organization", "project": f"project `{identity.project.name}`", "key": "this key"}
    unit = "requests at once" if refused.kind == "concurrency" else f"{refused.kind} {_PER[refused.window]}"
    unit += f" of model `{refused.model}`" if refused.model else ""
    limit, used, held, needed = (
        shown_amount(refused.kind, amount) for amount in (refused.limit, refused.used, refused.held, refused.needed)
    )
    figures = f"Limit {limit}, Used {used}, In flight {held}, Requested {needed}."
    raised = TokensLimited if refused.kind in ("tokens", "neurons") else RateLimited
    details = _details(refused)
    if refused.needed > refused.limit:
        message = f"Request too large for {owner[refused.scope]} on {unit}: {figures} Ask for fewer tokens."
        return raised(message, should_retry=False, details=details)
    message = f"Rate limit reached for {owner[refused.scope]} on {unit}: {figures}"
    if refused.kind == "concurrency":
        return raised(f"{message} Try again when another request has ended.", retry_after=_CONCURRENCY_SECONDS,
                      details=details)  # fmt: skip
    if refused.retry_after is None:
        return raised(f"{message} Waiting helps only once that is over.", should_retry=False, details=details)
    return raised(
        f"{message} Please try again in {duration_text(round(refused.retry_after * 1000))}.",
        retry_after=refused.retry_after,
        details=details,
    )


def _spend_limit_reached(refused: Refused, identity: Identity) -> SpendLimitReached:
    names = {"organization": "This organization", "project": f"Project `{identity.project.name}`", "key": "This key"}
    limit, used, held = (dollars_text(amount) for amount in (refused.limit, refused.used, refused.held))
    helps = refused.retry_after is not None  # a rolling window
    period = "in total" if refused.window == "total" else f"per {refused.window}"
    period += f" for model `{refused.model}`" if refused.model else ""
    return SpendLimitReached(
        f"{names[refused.scope]} has reached its spend limit: ${limit} {period}, of which ${used} are "
        f"spent and ${held} are held by requests in flight; this request may cost more than what is left. "
        "Ask whoever runs this gateway to raise the limit.",
        code=_CODES[refused.scope],
        should_retry=helps,
        retry_after=refused.retry_after,
        details=_details(refused),
    )


def _details(refused: Refused) -> dict[str, str | int | None]:
    return {
        "scope": refused.scope,
        "kind": refused.kind,
        "window": refused.window,
        "limit": shown_amount(refused.kind, refused.limit),
        "used": shown_amount(refused.kind, refused.used),
        "held": shown_amount(refused.kind, refused.held),
        "resets_at": refused.resets_at,
        **({"model": refused.model} if refused.model else {}),
    }
