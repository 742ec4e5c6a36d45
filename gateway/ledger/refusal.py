"""What a client is told when a limit is in the way: OpenAI's code for the scope, and the figures beside the error."""

from collections.abc import Mapping

from gateway.core.errors import SpendLimitReached
from gateway.core.records import Identity
from gateway.ledger.contract import Refused

_CODES: Mapping[str, str] = {
    "organization": "organization_spend_limit_exceeded",
    "project": "project_spend_limit_exceeded",
    "key": "insufficient_quota",
}
_NANO = 1_000_000_000


def limit_reached(refused: Refused, identity: Identity) -> SpendLimitReached:
    """The 429 for a money limit; `gateway` beside the error has scope, kind, window, limit, used, held, resets_at."""
    names = {"organization": "This organization", "project": f"Project `{identity.project.name}`", "key": "This key"}
    limit, used, held = (_dollars(amount) for amount in (refused.limit, refused.used, refused.held))
    return SpendLimitReached(
        f"{names[refused.scope]} has reached its spend limit: ${limit} per {refused.window}, of which ${used} are "
        f"spent and ${held} are held by requests in flight; this request may cost more than what is left. "
        "Ask whoever runs this gateway to raise the limit.",
        code=_CODES[refused.scope],
        details={
            "scope": refused.scope,
            "kind": refused.kind,
            "window": refused.window,
            "limit": refused.limit,
            "used": refused.used,
            "held": refused.held,
            "resets_at": refused.resets_at,
        },
    )


def _dollars(nano: int) -> str:
    whole, fraction = divmod(nano, _NANO)
    return f"{whole}.{fraction:09d}".rstrip("0").ljust(len(str(whole)) + 3, "0")
