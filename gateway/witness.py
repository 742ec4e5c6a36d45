"""Everybody who only looks on: told by dispatch what happens to requests, it counts, logs and traces them."""

import time

from gateway.alerts.exhaustion import Exhaustion
from gateway.config.settings import Settings
from gateway.core.errors import GatewayError
from gateway.core.receipt import Receipt
from gateway.core.records import Identity
from gateway.job import Job, Request
from gateway.ledger.contract import Refused
from gateway.log.access import AccessLine, AccessLog, client_of, open_access_log
from gateway.metrics import Metrics
from gateway.telling import tell
from gateway.tracing.context import read_trace
from gateway.tracing.select import create_exporter
from gateway.tracing.spans import Exporter


class Witness:
    """One per worker. `in_flight` is how many requests are being served now.

    Without a log nothing is logged, without an exporter there are no traces; `sample_ratio` is of those begun here.
    """

    def __init__(
        self, metrics: Metrics, log: AccessLog | None = None, exporter: Exporter | None = None, sample_ratio: float = 1
    ) -> None:
        self.in_flight = 0
        self.exhaustion = Exhaustion()
        self.log = log
        self._metrics = metrics
        self._exporter = exporter
        self._sample_ratio = sample_ratio

    def begin(self, request: Request) -> None:
        """A request has arrived; `end` follows, whatever happens."""
        self.in_flight += 1
        if self._exporter is not None:
            header = request.exchange.header
            trace = read_trace(header(b"traceparent"), header(b"tracestate"), self._sample_ratio)
            trace.began_ns = time.time_ns() - round((time.monotonic() - request.arrived) * 1e9)
            request.trace = trace

    def end(self, request: Request) -> None:
        """Nothing more will happen to this request."""
        self.in_flight -= 1
        if self.log is not None:
            self.log.write(_access_line(request, self.log.now(), time.monotonic()))
        if self._exporter is not None and request.trace is not None and request.trace.is_sampled:
            self._exporter.export(tell(request, time.monotonic()))

    def disconnect(self) -> None:
        """The client left before its answer was complete."""
        self._metrics.disconnect()

    def refused(self, refused: Refused, identity: Identity) -> None:
        """A limit is in the way of a request of this identity."""
        self._metrics.refused(refused.scope, refused.kind)
        self.exhaustion.note(refused, identity)

    def queued(self, seconds: float) -> None:
        """A request has waited so long for its turn at the account."""
        self._metrics.queued(seconds)

    def turned_away(self) -> None:
        """A request would have had to wait too long for the account, or among too many."""
        self._metrics.refused("account", "requests")

    def fail(self, request: Request, error: GatewayError) -> None:
        """The client is told of an error."""
        request.refusal = error
        self._metrics.failed(error.status, error.type)

    def settle(self, job: Job, receipt: Receipt, now: float) -> None:
        """The request has its receipt; its last bytes may still be on their way. `now` is monotonic seconds."""
        until_first_byte = (job.first_byte or now) - job.arrived
        self._metrics.observe(receipt, until_first_byte - job.upstream_seconds - job.queued_seconds, job.gaps)

    def close(self) -> None:
        """Write and send what waits, for a bounded time. Blocks."""
        for closing in (self.log, self._exporter):
            if closing is not None:
                closing.close()


def create_witness(settings: Settings, metrics: Metrics) -> Witness:
    """The witness these settings ask for. ImportError where the extra `otel` is missing."""
    log = open_access_log(settings.log.format) if settings.log.access else None
    return Witness(metrics, log, create_exporter(settings.tracing), settings.tracing.sample_ratio)


def _access_line(request: Request, moment: str, now: float) -> AccessLine:
    scope, error, job = request.exchange.scope, request.refusal, request.job
    line = AccessLine(
        time=moment,
        level="error" if error is not None and error.status >= 500 else "info",
        logger="gateway.access",
        id=request.id,
        method=scope["method"],
        path=scope["path"],
        status=request.status,
        ms=round((now - request.arrived) * 1000),
        client=client_of(scope),
    )
    if request.trace is not None:
        line.trace_id = request.trace.trace_id
    if error is not None:
        line.error_type, line.error_code = error.type, error.code
    if job is not None:
        _tell_job(line, job)
    return line


def _tell_job(line: AccessLine, job: Job) -> None:
    """Who asked for what, how it ended, what it cost: as the row has it, where there is one."""
    line.end = job.end
    line.project, line.key = job.identity.project.id, job.identity.key.id
    line.requested_model, line.route = job.call.requested_model, job.plan.route.name
    line.model, line.reason = job.candidate.model.id, job.candidate.reason
    line.stream = job.call.stream
    line.attempts = len(job.tally.attempts)
    line.prompt_tokens, line.completion_tokens = job.tally.prompt_tokens, job.tally.completion_tokens
    dollars, nano = divmod(job.tally.cost_nano, 1_000_000_000)
    line.cost_usd = f"{dollars}.{nano:09d}"
    if job.first_byte is not None and job.call.stream:
        line.ttft_ms = round((job.first_byte - job.arrived) * 1000)
    if job.logs_content:
        line.prompt, line.answers = job.call.messages, job.texts
