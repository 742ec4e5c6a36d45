"""Provider dialects: pure translation between a call and one provider's wire format. One package each, one table."""

from gateway.core.contracts import Upstream
from gateway.upstreams.workers_ai import WORKERS_AI

UPSTREAMS: dict[str, Upstream] = {"workers_ai": WORKERS_AI}
