"""What the Cloudflare account allows, as far as the gateway keeps to it by itself: facts of the account, configured."""

from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60.0


@dataclass(slots=True, frozen=True)
class AccountRates:
    """Requests a minute of each model, and of all API calls in five minutes; None where nothing is kept to.

    A request that only these stand in the way of waits for at most `queue_seconds`, among at most `queue_length` of its
    project at a worker.
    """

    requests_per_minute: int | None = None
    api_requests_per_five_minutes: int | None = None
    queue_seconds: float = 30.0
    queue_length: int = 100
