"""Everybody who only looks on: told by dispatch what happens to requests, it counts. Never changes one of them."""

from gateway.core.errors import GatewayError
from gateway.core.receipt import Receipt
from gateway.job import Job, Request
from gateway.ledger.contract import Refused
from gateway.metrics import Metrics


class Witness:
    """One per worker. `in_flight` is how many requests are being served now."""

    def __init__(self, metrics: Metrics) -> None:
        self.in_flight = 0
        self._metrics = metrics

    def begin(self, request: Request) -> None:
        """A request has arrived; `end` follows, whatever happens."""
        self.in_flight += 1

    def end(self, request: Request) -> None:
        """Nothing more will happen to this request."""
        self.in_flight -= 1

    def disconnect(self) -> None:
        """The client left before its answer was complete."""
        self._metrics.disconnect()

    def refused(self, refused: Refused) -> None:
        """A limit is in the way."""
        self._metrics.refused(refused.scope, refused.kind)

    def fail(self, request: Request, error: GatewayError) -> None:
        """The client is told of an error."""
        request.refusal = error
        self._metrics.failed(error.status, error.type)

    def settle(self, job: Job, receipt: Receipt, now: float) -> None:
        """The request has its receipt; its last bytes may still be on their way. `now` is monotonic seconds."""
        until_first_byte = (job.first_byte or now) - job.arrived
        self._metrics.observe(receipt, until_first_byte - job.upstream_seconds, job.gaps)
