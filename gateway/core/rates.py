"""How much of their tokens and requests a caller has left, as headers that OpenAI's clients read. Only formats."""

from collections.abc import Sequence
from dataclasses import dataclass

_UNITS = ((3_600_000, "h"), (60_000, "m"))


@dataclass(slots=True, frozen=True)
class Rate:
    """The limit on a kind that leaves least. `reset_ms` is when nothing of it is used any more, None for never."""

    kind: str  # "tokens" or "requests"
    limit: int
    remaining: int
    reset_ms: int | None


def rate_headers(rates: Sequence[Rate]) -> list[tuple[bytes, bytes]]:
    """`x-ratelimit-limit-requests` and its five siblings, as far as there are such limits."""
    found: list[tuple[bytes, bytes]] = []
    for rate in rates:
        found.append((f"x-ratelimit-limit-{rate.kind}".encode(), b"%d" % rate.limit))
        found.append((f"x-ratelimit-remaining-{rate.kind}".encode(), b"%d" % rate.remaining))
        if rate.reset_ms is not None:
            found.append((f"x-ratelimit-reset-{rate.kind}".encode(), duration_text(rate.reset_ms).encode()))
    return found


def duration_text(milliseconds: int) -> str:
    """A duration as Go writes it, which is what OpenAI sends: `8ms`, `1.5s`, `6m0s`, `1h2m3.5s`."""
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds > 0 else "0s"
    text = ""
    for size, unit in _UNITS:
        count, milliseconds = divmod(milliseconds, size)
        if count or text:
            text += f"{count}{unit}"
    seconds = f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{text}{seconds}s"
