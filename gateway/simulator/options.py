"""What one simulator is started with. Values only; everything a run learns or counts lives in `state`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.simulator.counting import Count, estimate_tokens
from gateway.simulator.models import MODELS, SimulatedModel

DEFAULT_ACCOUNT = "5151515151515151515151515151abcd"
DEFAULT_TOKEN = "simulator-token"  # noqa: S105  # opens nothing but a simulator


@dataclass(slots=True, frozen=True)
class Limits:
    """The account's limits; None switches one off. `capacity` is how many calls run at once, the rest queue."""

    per_minute: int | None = None
    per_five_minutes: int | None = None
    daily_neurons: float | None = None
    capacity: int | None = None
    queue_length: int = 1000


PUBLISHED_LIMITS = Limits(per_minute=300, per_five_minutes=1200, daily_neurons=10_000)
"""The figures of the published limits: per model and minute, per token and five minutes, per account and UTC day."""


@dataclass(slots=True, frozen=True)
class SimulatorOptions:
    """How a simulator runs. `pace_seconds` lie between two events of a stream; `clock` gives unix seconds.

    With `secret_offset`, random amounts chosen at start are added to the counts that are reported. `retired` holds
    ids of models that answer 410. `seed` makes padding, ids, offsets and chances repeatable.
    """

    host: str = "127.0.0.1"
    port: int = 8788
    account_id: str = DEFAULT_ACCOUNT
    api_token: str = DEFAULT_TOKEN
    pace_seconds: float = 0.0
    models: tuple[SimulatedModel, ...] = MODELS
    retired: frozenset[str] = frozenset()
    limits: Limits = Limits()
    count: Count = estimate_tokens
    secret_offset: bool = True
    scenario: Path | None = None
    record_path: Path | None = None
    record_limit: int = 10_000
    record_body_bytes: int = 16_384
    max_body_bytes: int = 10_000_000
    seed: int | None = None
    clock: Callable[[], float] = time.time
