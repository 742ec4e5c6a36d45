"""Limits in plain Python: what may be admitted, computed anew from all requests there ever were. The oracle of
tests/contract/test_limits.py: slow, without a counter or a field name in it, and independent of how the store does it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil

from support.ledgers import NEURON_RATES, PRICE

from gateway.core.records import Identity, Limit

NANO_PER_NEURON = 10**9
ROLLING_SECONDS = {"minute": 1, "hour": 60}  # of a slot; a window is the slot of now and the 60 before it


@dataclass(slots=True)
class Request:
    """One that was admitted. `amounts` are claimed, or used once it has ended."""

    identity: Identity
    created_ms: int
    stated_ms: int
    amounts: dict[str, int]
    is_running: bool = True


@dataclass(slots=True)
class LimitModel:
    """All requests so far."""

    requests: dict[str, Request] = field(default_factory=dict)

    def fits(self, name: str, identity: Identity, amounts: dict[str, int], now_ms: int) -> bool:
        """Whether a request, or the restatement of one, may have so much."""
        return not self.obstacles(name, identity, amounts, now_ms)

    def obstacles(self, name: str, identity: Identity, amounts: dict[str, int], now_ms: int) -> list[tuple[str, Limit]]:
        """The limits in the way, each with its scope."""
        known = self.requests.get(name)
        created_ms = now_ms if known is None else known.created_ms
        found = []
        for scope, limit in limits_of(identity):
            counted = self.counted(scope, limit, identity, created_ms, now_ms, without=name)
            if counted + amounts[limit.kind] > amount_of(limit):
                found.append((scope, limit))
        return found

    def counted(
        self, scope: str, limit: Limit, identity: Identity, created_ms: int, now_ms: int, *, without: str = ""
    ) -> int:  # fmt: skip
        """What other requests of the scope count for under a limit."""
        total = 0
        for name, request in self.requests.items():
            if name == without or owner(scope, request.identity) != owner(scope, identity):
                continue
            if limit.kind == "concurrency":
                total += request.is_running
            elif limit.window in ROLLING_SECONDS:
                slot_ms = ROLLING_SECONDS[limit.window] * 1000
                if request.stated_ms // slot_ms >= now_ms // slot_ms - 60:
                    total += request.amounts[limit.kind]
            elif calendar(limit.window, request.created_ms) == calendar(limit.window, created_ms):
                total += request.amounts[limit.kind]
        return total


def limits_of(identity: Identity) -> list[tuple[str, Limit]]:
    """Every limit that binds a key, with its scope."""
    scopes = (("organization", identity.organization), ("project", identity.project), ("key", identity.key))
    return [(name, limit) for name, record in scopes for limit in record.limits]


def owner(scope: str, identity: Identity) -> str:
    """Whose limit it is."""
    return {"organization": "", "project": identity.project.id, "key": identity.key.id}[scope]


def amount_of(limit: Limit) -> int:
    """A limit in the unit of amounts."""
    return limit.limit * NANO_PER_NEURON if limit.kind == "neurons" else limit.limit


def calendar(window: str, moment_ms: int) -> str:
    """The name of the calendar window that contains a moment (UTC)."""
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
    return moment.strftime({"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "total": "total"}[window])


def claim(prompt: int, output: int, choices: int) -> dict[str, int]:
    """What a request may become at most."""
    per_million = prompt * PRICE.input_nano_per_mtok + output * PRICE.output_nano_per_mtok
    rate_in, rate_out = NEURON_RATES
    return {
        "money": choices * ceil(per_million / 10**6),
        "tokens": choices * (prompt + output),
        "requests": 1,
        "neurons": choices * (prompt * rate_in + output * rate_out) * 1000,
        "concurrency": 1,
    }
