"""The story of a request: identify → parse → plan → hold → attempt → relay → settle.

Reading `Dispatch.serve` and `_answer` from top to bottom is understanding the gateway. Decisions are made by the pure
packages; here they are carried out, in order, and whatever happens on the way, the hold is settled or given back.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from gateway.admission import Admission
from gateway.attempts import Attempting
from gateway.choice import OpenChoice, arrivals
from gateway.config.settings import Settings
from gateway.core.answer import Completion, Event, Failure, Finish, Usage
from gateway.core.contracts import Answer, Surface
from gateway.core.errors import GatewayError, InternalError, InvalidKey, StoreAway, UpstreamFailed
from gateway.core.gaps import Gaps
from gateway.core.reading import read_call
from gateway.core.receipt import EndReason
from gateway.core.records import Identity
from gateway.core.retry import Attempts, Retry, error_of
from gateway.departures import Departures
from gateway.fleet.governor import Governor
from gateway.fleet.knowledge import Knowledge
from gateway.heartbeat import Heartbeat
from gateway.job import END_REASONS, Job, Request, admitted
from gateway.keys import Keyring, redact
from gateway.ledger.contract import Ledger
from gateway.planning import Planning
from gateway.relay import JSON_TYPE, SSE_HEADERS, ClientGone, Exchange, Receive, Scope, Send, bearer_token, current_task
from gateway.withdrawal import Withdrawals
from gateway.witness import Witness

T = TypeVar("T")

Perform = Callable[[Job, int], Awaitable[list[T] | Failure]]
"""One attempt of a job with so many output tokens: its choices, or why there are none."""

_log = logging.getLogger("gateway.dispatch")

_COMPLETE = ("stop", "length", "tool_calls")  # ends of answers that teach how long answers are
_OWN_FAULT = (
    "The gateway had an error while processing your request. Sorry about that! "
    "Whoever runs it finds the cause in its log under the x-request-id of this answer."
)


@dataclass(slots=True, frozen=True)
class Collaborators:
    """Everything dispatch works with; built by app.py."""

    keyring: Keyring
    ledger: Ledger
    attempting: Attempting
    planning: Planning
    governor: Governor
    knowledge: Knowledge
    witness: Witness
    departures: Departures
    withdrawals: Withdrawals


class Dispatch:
    """Serves requests of every surface. One per worker; `snapshot` may be replaced between requests."""

    def __init__(self, snapshot: Settings, upstream_name: str, collaborators: Collaborators) -> None:
        self.snapshot = snapshot
        self.heartbeat = Heartbeat(snapshot.chat.heartbeat_seconds)
        self._upstream_name = upstream_name
        self._keyring = collaborators.keyring
        self._ledger = collaborators.ledger
        self._attempting = collaborators.attempting
        self._planning = collaborators.planning
        self._knowledge = collaborators.knowledge
        self._witness = collaborators.witness
        self._departures = collaborators.departures
        self._withdrawals = collaborators.withdrawals
        self._admission = Admission(self._keyring, self._ledger, self._planning, collaborators.governor, self._witness)

    def adopt(self, snapshot: Settings, attempting: Attempting) -> None:
        """From the next request on. Those in flight keep their snapshot, and the client their attempts began with."""
        self.snapshot = snapshot
        self._attempting = attempting
        self.heartbeat.seconds = snapshot.chat.heartbeat_seconds

    async def serve(self, surface: Surface, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of `surface`, whatever happens."""
        exchange = Exchange(scope, receive, send)
        # Unique, not secret: seeded by the system once, it saves a system call a request.
        request_id = f"req_{random.getrandbits(128):032x}"
        request = Request(request_id, exchange, surface, self.snapshot, self._upstream_name, time.monotonic())
        self._witness.begin(request)
        try:
            await self._serve(request)
        finally:
            self._witness.end(request)

    async def _serve(self, request: Request) -> None:
        exchange = request.exchange
        try:
            await self._answer(request)
        except GatewayError as error:
            await self._refuse(request, error)
        except (ClientGone, asyncio.CancelledError) as gone:
            if exchange.stopped is not None:
                return await self._refuse(request, exchange.stopped)
            if request.job is not None:
                request.job.end = "client_gone" if exchange.is_gone else "cut"
            if isinstance(gone, asyncio.CancelledError) and not exchange.is_gone:
                raise  # the server is going down, not the client
        except Exception:  # the one place: a broken promise of ours must still settle and answer
            _log.exception("request %s failed", request.id)
            await self._refuse(request, InternalError(_OWN_FAULT))
        finally:
            exchange.close()
            self.heartbeat.leave(exchange)
            self._withdrawals.leave(exchange)
            if exchange.is_gone:
                self._witness.disconnect()
            if request.job is not None:
                await self._conclude(request.job)

    async def _answer(self, request: Request) -> None:
        exchange = request.exchange
        identity = request.identity = await self._identify(exchange)
        body = await exchange.read_body(request.snapshot.server.max_body_bytes)
        work = current_task()
        exchange.watch(partial(self._departures.leave, request, work))
        self._withdrawals.join(exchange, identity, work)
        call = read_call(request.surface, body, request.snapshot.chat.max_choices, identity.access.default_route)
        plan = await self._planning.plan(call, identity, request.snapshot.catalog)
        job = request.job = admitted(request, identity, call, plan, time.time())
        if call.stream:
            await self._relay(request, job, await self._open(request, job))
        else:
            await self._respond(request, job, await self._attempt(request, job, self._attempting.complete))

    async def _open(self, request: Request, job: Job) -> list[OpenChoice]:
        """The choices with their first events; where the configuration says so, the stream begins before they come."""
        patience = request.snapshot.chat.commit_after_seconds
        if not patience:
            return await self._attempt(request, job, self._attempting.open)
        opening = asyncio.ensure_future(self._attempt(request, job, self._attempting.open))
        try:
            await asyncio.wait({opening}, timeout=patience)
            if not opening.done():
                await request.exchange.write(await self._commit(request, job))
            return await opening
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)

    async def _identify(self, exchange: Exchange) -> Identity:
        token = bearer_token(exchange.scope)
        identity = await self._keyring.find(token, exchange.address)
        if identity is None:
            raise InvalidKey(f"Incorrect API key provided: {redact(token)}.", code="invalid_api_key")
        return identity

    async def _attempt(self, request: Request, job: Job, perform: Perform[T]) -> list[T]:
        """Be admitted, attempt, fall back on failure, until a candidate answers or the table says that none will."""
        candidates = job.plan.candidates
        attempts = Attempts(len(candidates), job.plan.route.max_attempts)
        number = 0
        while True:
            job.candidate = candidates[number]
            granted = await self._admission.admit(job, request.snapshot.catalog)
            if job.plan.candidates is not candidates:  # the key may use something else than was believed
                candidates, number = job.plan.candidates, 0
                attempts = Attempts(len(candidates), job.plan.route.max_attempts, attempts.made)
                continue
            self._knowledge.attempting(job.candidate.model.id)
            job.is_attempting = True
            outcome = await perform(job, granted)
            job.is_attempting = False
            attempts.made += 1
            if not isinstance(outcome, Failure):
                self._knowledge.answered(job.candidate)
                return outcome
            left = job.deadline - time.monotonic()
            if left > 0 or outcome.kind != "first_byte_timeout":  # an impatient client says nothing about the model
                self._knowledge.failed(job.candidate, outcome)
            retry = attempts.next(outcome, number, random.random())
            if retry is None or retry.pause >= left or not self._may_retry(request, retry):
                raise error_of(outcome, job.candidate.model, time.time())
            number, job.is_whole = retry.candidate, retry.is_whole
            await asyncio.sleep(retry.pause)
            if request.exchange.is_committed and not retry.is_whole:
                raise error_of(outcome, job.candidate.model, time.time())

    def _may_retry(self, request: Request, retry: Retry) -> bool:
        """After the first byte only the same model may go on, for nobody nothing, and only while the budget lasts."""
        if request.exchange.is_gone:
            return False
        return (retry.is_whole or not request.exchange.is_committed) and self._knowledge.take_retry()

    async def _respond(self, request: Request, job: Job, choices: list[Completion]) -> None:
        """A whole answer. The receipt is on disk before the client sees a byte."""
        body = request.surface.render(
            Answer(request.answer_id, int(time.time()), job.candidate.model.id, tuple(choices), job.tally.usage()),
            job.call,
        )
        job.first_byte = time.monotonic()
        self._settle(job, END_REASONS[choices[0].finish_reason], 200)
        cost = b"%d.%09d" % divmod(job.tally.cost_nano, 1_000_000_000)
        headers = [JSON_TYPE, (b"x-gateway-cost-usd", cost), *request.headers(time.monotonic())]
        await request.exchange.respond(200, headers, body)

    async def _relay(self, request: Request, job: Job, choices: list[OpenChoice]) -> None:
        """A streamed answer: commit, then one write per network read; the receipt is on disk before the last bytes."""
        exchange = request.exchange
        pending = b"" if exchange.is_committed else await self._commit(request, job)
        job.first_byte = time.monotonic()
        gaps = job.gaps = Gaps(job.first_byte)
        try:
            async with asyncio.timeout_at(job.deadline), aclosing(arrivals(choices)) as found:
                async for choice, events in found:
                    pending += self._encode(job, choice, events)
                    if job.drain is not None:
                        self._departures.drained(job.drain, events)
                    if pending and not all(choice.is_ended for choice in choices):
                        await exchange.write(pending)
                        gaps.note(time.monotonic())
                        pending = b""
        except TimeoutError as error:
            raise UpstreamFailed("The answer was not complete after `upstream.total_seconds`.") from error
        self.heartbeat.leave(exchange)
        self._settle(job, job.end, 200)
        await exchange.finish(pending + job.live_encoder().end(job.tally.usage()))

    def _encode(self, job: Job, choice: OpenChoice, events: Sequence[Event]) -> bytes:
        """The events of one read in the client's dialect; a choice that ends is booked, a failure is raised."""
        encoder = job.live_encoder()
        encoded = b""
        for event in events:
            if isinstance(event, Failure):
                raise error_of(event, job.candidate.model, time.time())
            if isinstance(event, Finish):
                job.end = END_REASONS[event.reason or "stop"]
                self._attempting.book_stream(job, choice, job.end)
                encoded += encoder.finish(choice.index, event.reason or "stop")
            elif not isinstance(event, Usage):
                encoded += encoder.delta(choice.index, event)
        return encoded

    async def _commit(self, request: Request, job: Job) -> bytes:
        """Status and headers out; from here on nothing is retried. Returns how the body begins."""
        model_id = job.candidate.model.id
        job.encoder = request.surface.stream(job.call, request.answer_id, int(time.time()), model_id)
        job.status = 200
        # The client stated how long it waits for a beginning; from now on every byte makes it wait anew.
        job.deadline = request.arrived + request.snapshot.upstream.total_seconds
        await request.exchange.start(200, [*SSE_HEADERS, *request.headers(time.monotonic())])
        self.heartbeat.join(request.exchange)
        return job.encoder.start()

    async def _refuse(self, request: Request, error: GatewayError) -> None:
        """Tell the client, in the way its answer has begun, after whatever is owed was settled."""
        self.heartbeat.leave(request.exchange)
        request.exchange.close()
        self._witness.fail(request, error)
        job = request.job
        if job is not None:
            job.end = "cut" if request.exchange.is_committed else "failed"
            job.status = error.status if not request.exchange.is_committed else 200
            try:
                await self._conclude(job)
            except StoreAway:  # the spool cannot be written; the lease will end the hold with a row
                _log.exception("the receipt of request %s could not be written", request.id)
        try:
            if not request.exchange.is_committed:
                if (identity := request.untold) is not None:
                    request.rates = await self._ledger.rates(identity)
                await request.exchange.refuse(error, request.headers(time.monotonic()))
            elif job is not None and job.encoder is not None:
                await request.exchange.finish(job.encoder.error(error.envelope()))
        except OSError:
            request.exchange.is_gone = True

    async def _conclude(self, job: Job) -> None:
        """Leave nothing open: book and close what streams, then settle what was attempted or give the hold back."""
        if job.choices:
            await self._attempting.abandon(job, job.end)
        if not job.is_owed:
            return
        if job.tally.attempts:
            self._settle(job, job.end, job.status)
        else:
            job.is_owed = False
            self._ledger.release(job.id, job.identity)

    def _settle(self, job: Job, end: EndReason, status: int) -> None:
        job.end, job.status = (end, status) if job.drain is None else ("client_gone", job.drain.status)
        now = time.monotonic()
        receipt = job.receipt(now)
        job.is_owed = False  # before: what cannot be written now is left to the lease, which expires into a row
        self._ledger.settle(receipt)
        self._witness.settle(job, receipt, now)
        if job.end in _COMPLETE:
            self._knowledge.settled(job.sample())
