"""What the whole account must not do for a while: its daily allocation is used up, or Cloudflare blocks its API calls.

Asking on would help nobody: the allocation is renewed at 00:00 UTC, and the block is for five minutes.
"""

from typing import Final

from gateway.core.answer import Failure
from gateway.core.eligibility import Stop

DAILY_ALLOCATION: Final = (3036, 4006)  # the documented code and the one that is really sent
API_WIDE_BLOCK: Final = (971, 10429)
BLOCK_SECONDS: Final = 300.0
_DAY: Final = 86_400


def stop_after(failure: Failure, now: float) -> Stop | None:
    """How long nobody may ask after this failure; None where it says nothing about the account. `now` is unix s."""
    if failure.code in DAILY_ALLOCATION and failure.kind == "quota":
        return Stop("quota", float((int(now) // _DAY + 1) * _DAY))
    if failure.code in API_WIDE_BLOCK and failure.kind == "rate_limited":
        return Stop("rate_limited", now + min(failure.retry_after or BLOCK_SECONDS, BLOCK_SECONDS))
    return None
