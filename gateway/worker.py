"""What one worker process is given when it starts. Values only: no process is started and no resource opened here."""

from dataclasses import dataclass, field
from typing import Literal

from gateway.config.settings import Settings

UpstreamName = Literal["cloudflare", "simulator"]


@dataclass(slots=True, frozen=True)
class WorkerSettings:
    """Everything a worker knows besides what lies in the store.

    `settings` are final: in the demo they already point at the running simulator. `store_url` is what to connect to,
    with `embedded` resolved to the socket of the running store. `slot` (0 … workers − 1) is the worker's place; its
    replacement gets the same one. `upstream_name` is the value of the header `x-gateway-upstream`, `notice` a sentence
    for the readiness page.
    """

    settings: Settings
    store_url: str = field(repr=False)
    admin_key: str = field(repr=False)
    slot: int = 0
    upstream_name: UpstreamName = "cloudflare"
    notice: str = ""
