"""One attempt: the upstream calls of all choices of a job against one candidate.

A non-streamed attempt brings complete choices; a streamed one brings open choices whose first event has arrived.
Either everything is there, or a `Failure` comes back, every connection is closed, and what was answered is booked.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from gateway.choice import OpenChoice
from gateway.client.contract import Client, Reply, ReplyStream
from gateway.core.answer import Completion, Event, Failure, Usage
from gateway.core.call import Call
from gateway.core.contracts import Outbound, Upstream
from gateway.core.errors import InvalidRequest
from gateway.core.promises import find_broken_promise
from gateway.core.receipt import EndReason, UsageSource
from gateway.core.stream import ChoiceReader, cut_at_stop, replay
from gateway.core.tally import Consumption
from gateway.job import END_REASONS, Job
from gateway.tokenizer import Tokenizer

T = TypeVar("T")


class Attempting:
    """Performs attempts. One per worker; `clock` is monotonic seconds, `first_byte_seconds` the wait for a stream."""

    def __init__(
        self,
        client: Client,
        upstream: Upstream,
        tokenizer: Tokenizer,
        first_byte_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._tokenizer = tokenizer
        self._first_byte_seconds = first_byte_seconds
        self._clock = clock

    async def complete(self, job: Job, max_tokens: int) -> list[Completion] | Failure:
        """Every choice, whole and booked."""
        return await _together([self._complete(job, call, max_tokens) for call in _per_choice(job)])

    async def open(self, job: Job, max_tokens: int) -> list[OpenChoice] | Failure:
        """Every choice, open, with its first events. They stand in `job.choices`: `abandon` closes those."""
        opened = await _together([self._open(job, call, max_tokens) for call in _per_choice(job)])
        if isinstance(opened, Failure):
            await self.abandon(job, "cut")
            return opened
        for index, choice in enumerate(opened):
            choice.index = index
        return opened

    async def abandon(self, job: Job, end: EndReason) -> None:
        """Book every open choice as it stands, at once, then close its upstream connection."""
        abandoned, job.choices = job.choices, []
        for choice in abandoned:
            self.book_stream(job, choice, end)
        for choice in abandoned:
            await choice.close()

    async def _complete(self, job: Job, call: Call, max_tokens: int) -> Completion | Failure:
        outbound = self._request(job, call, max_tokens)
        started = self._clock()
        completion = await self._fetch(job, call, outbound, max_tokens, started)
        if isinstance(completion, Failure):
            return completion
        self._book(job, self._consumption(job, completion), END_REASONS[completion.finish_reason], started)
        if call.stop:
            text, is_hit = cut_at_stop(completion.text, call.stop)
            completion = replace(completion, text=text, finish_reason="stop") if is_hit else completion
        return find_broken_promise(call, completion) or completion

    async def _fetch(
        self, job: Job, call: Call, outbound: Outbound, max_tokens: int, started: float
    ) -> Completion | Failure:
        """One whole answer, not yet booked; a failure is noted in the tally."""
        try:
            reply = await self._client.fetch(outbound.path, outbound.body, job.deadline, job.call_headers(started))
        except asyncio.CancelledError:
            # The upstream may have generated all of it; nobody will ever say. An expectation is booked.
            self._book_expected(job, min(max_tokens, job.candidate.expected_output), started)
            raise
        outcome = reply if isinstance(reply, Failure) else self._completion(reply, call, max_tokens)
        self._note(job, outcome, started)
        return outcome

    def _completion(self, reply: Reply, call: Call, max_tokens: int) -> Completion | Failure:
        return self._upstream.completion(reply.status, reply.headers, reply.body, call, max_tokens)

    async def _open(self, job: Job, call: Call, max_tokens: int) -> OpenChoice | Failure:
        if job.is_whole:
            call = replace(call, stream=False)
        outbound = self._request(job, call, max_tokens)
        started = self._clock()
        if not outbound.stream:
            completion = await self._fetch(job, call, outbound, max_tokens, started)
            return completion if isinstance(completion, Failure) else self._replayed(job, call, completion, started)
        deadline = min(job.deadline, started + self._first_byte_seconds)
        try:
            stream = await self._client.open(outbound.path, outbound.body, deadline, job.call_headers(started))
        except asyncio.CancelledError:
            self._book_expected(job, 0, started)
            raise
        if isinstance(stream, Failure):
            outcome: OpenChoice | Failure = stream
        elif stream.status == 200 and "text/event-stream" in stream.headers.get("content-type", ""):
            reader = ChoiceReader(self._upstream.stream(call, max_tokens), call.stop)
            outcome = await self._begin(job, OpenChoice(0, (), started, stream, reader), deadline)
        else:
            outcome = await self._begin_whole(job, call, stream, max_tokens, started)
        self._note(job, outcome, started)
        if isinstance(outcome, OpenChoice) and outcome.is_hollow:
            self.book_stream(job, outcome, "stop")  # it was billed
            job.choices.remove(outcome)
            await outcome.close()
            return Failure("hollow", "tokens were billed and none came", 200)
        return outcome

    async def _begin(self, job: Job, choice: OpenChoice, deadline: float) -> OpenChoice | Failure:
        """Read up to the first event."""
        job.choices.append(choice)
        try:
            async with asyncio.timeout_at(deadline):
                while not choice.events:
                    choice.events = await choice.next()
        except TimeoutError:
            first: Event = Failure("first_byte_timeout", "no event within the first-byte deadline")
        else:
            first = choice.events[0]
        if not isinstance(first, Failure):
            return choice
        job.choices.remove(choice)
        await choice.close()
        return first

    async def _begin_whole(
        self, job: Job, call: Call, stream: ReplyStream, max_tokens: int, started: float
    ) -> OpenChoice | Failure:
        """An error, or an answer without streaming although streaming was asked for: both come whole."""
        body = b""
        try:
            while chunk := await stream.read():
                if isinstance(chunk, Failure):
                    return chunk
                body += chunk
        except asyncio.CancelledError:
            if stream.status == 200:  # it is being answered, and billed
                self._book_expected(job, min(max_tokens, job.candidate.expected_output), started)
            raise
        finally:
            await stream.close()
        completion = self._completion(Reply(stream.status, stream.headers, body), call, max_tokens)
        return completion if isinstance(completion, Failure) else self._replayed(job, call, completion, started)

    def _replayed(self, job: Job, call: Call, completion: Completion, started: float) -> OpenChoice | Failure:
        self._book(job, self._consumption(job, completion), END_REASONS[completion.finish_reason], started)
        return find_broken_promise(call, completion) or OpenChoice(
            0, replay(completion, call.stop), started, is_booked=True
        )

    def _request(self, job: Job, call: Call, max_tokens: int) -> Outbound:
        outbound = self._upstream.request(call, job.candidate.model, max_tokens)
        if outbound.ignored and job.refuses_clamping:
            name, model_id = outbound.ignored[0], job.candidate.model.id
            raise InvalidRequest(
                f"Unsupported value: '{name}' is out of the range that {model_id} takes.",
                param=name,
                code="unsupported_value",
            )
        job.ignored += outbound.ignored
        return outbound

    def _note(self, job: Job, outcome: object, started: float) -> None:
        """Count the time waited for the upstream, and a failure."""
        now = self._clock()
        job.upstream_seconds += now - started
        if isinstance(outcome, Failure):
            job.tally.failed(job.candidate, outcome, job.timing(started, now))

    def book_stream(self, job: Job, choice: OpenChoice, end: EndReason) -> None:
        """Book a streamed choice as it stands, once: the reported usage, else what was relayed, counted."""
        if choice.is_booked or choice.reader is None:
            return
        choice.is_booked = True
        usage = choice.reader.usage
        if usage is None:
            relayed = self._tokenizer.count(choice.reader.text) + (end in ("stop", "tool_calls"))
            consumption = Consumption(Usage(job.candidate.prompt_tokens, relayed), self._counted(job))
        else:
            consumption = Consumption(usage, "reported")
        if job.logs_content:
            job.texts.append(choice.reader.text)
        self._book(job, consumption, end, choice.started)

    def _consumption(self, job: Job, completion: Completion) -> Consumption:
        if job.logs_content:
            job.texts.append(_generated(completion))
        if completion.usage is not None:
            return Consumption(completion.usage, "reported")
        text = _generated(completion)
        # The upstream counts the end-of-turn token, except where the limit cut the answer.
        tokens = self._tokenizer.count(text) + (completion.finish_reason != "length")
        return Consumption(Usage(job.candidate.prompt_tokens, tokens), self._counted(job))

    def _counted(self, job: Job) -> UsageSource:
        """What a count of our own is worth: without the model's vocabulary it is an estimate."""
        is_exact = self._tokenizer.is_exact and job.candidate.model.template != "other"
        return "counted" if is_exact else "estimated"

    def _book_expected(self, job: Job, output_tokens: int, started: float) -> None:
        usage = Usage(job.candidate.prompt_tokens, output_tokens)
        self._book(job, Consumption(usage, "estimated"), "client_gone", started)

    def _book(self, job: Job, consumption: Consumption, end: EndReason, started: float) -> None:
        job.tally.answered(job.candidate, job.price, consumption, end, job.timing(started, self._clock()))


def _generated(completion: Completion) -> str:
    return completion.text + "".join(call.name + call.arguments for call in completion.tool_calls)


def _per_choice(job: Job) -> list[Call]:
    """The call of each choice: their tool calls must not share ids."""
    call = job.call
    if call.n == 1 and not call.tools:
        return [call]
    return [replace(call, request_id=f"{job.id}:{index}") for index in range(call.n)]


async def _together(choices: Sequence[Coroutine[Any, Any, T | Failure]]) -> list[T] | Failure:  # Any: asyncio's own
    """All of them, or the first failure; one alone is awaited without a task."""
    if len(choices) == 1:
        only = await choices[0]
        return only if isinstance(only, Failure) else [only]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(choice) for choice in choices]
    outcomes = [task.result() for task in tasks]
    failure = next((outcome for outcome in outcomes if isinstance(outcome, Failure)), None)
    return failure or [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
