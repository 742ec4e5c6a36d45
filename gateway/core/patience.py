"""How long a client waits, by what its SDK says. An answer after that would be paid for and heard by nobody."""

from math import isfinite
from typing import Final

MARGIN_SECONDS: Final = 0.5  # our refusal must arrive before the client hangs up


def patience(stated: str | None, configured: float) -> float:
    """Seconds a request may take: the configured ones, or what the client stated (header text) less a margin."""
    if stated is None:
        return configured
    try:
        seconds = float(stated)
    except ValueError:
        return configured
    if not isfinite(seconds) or seconds <= 0:
        return configured
    return min(configured, max(seconds - MARGIN_SECONDS, seconds / 2))
