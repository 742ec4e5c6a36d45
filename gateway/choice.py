"""One choice while it is being streamed: what has arrived and how to get more. It books nothing and writes nothing."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from gateway.client.contract import ReplyStream
from gateway.core.answer import Event, Failure
from gateway.core.stream import ChoiceReader


@dataclass(slots=True)
class OpenChoice:
    """A choice being streamed: its events so far, and the upstream response and reader that bring more.

    `stream` is None where the upstream had to be asked without streaming: then `events` is already everything.
    """

    index: int
    events: Sequence[Event]
    started: float
    stream: ReplyStream | None = None
    reader: ChoiceReader | None = None
    is_booked: bool = False

    async def next(self) -> Sequence[Event]:
        """The events of the next network read. The last one of a choice is a Finish or a Failure."""
        if self.stream is None or self.reader is None:
            raise AssertionError("a choice that came whole has no next events")
        chunk = await self.stream.read()
        if isinstance(chunk, Failure):
            # What the reader held back was generated too: it is told and counted before the failure.
            held_back = [event for event in self.reader.close() if not isinstance(event, Failure)]
            return (*held_back, chunk)
        return self.reader.feed(chunk) if chunk else self.reader.close()

    async def close(self) -> None:
        """Close the upstream connection, if it is still open."""
        if self.stream is not None:
            await self.stream.close()

    @property
    def is_hollow(self) -> bool:
        """Whether the stream ended at once, empty, although tokens were billed."""
        return self.reader is not None and self.reader.is_hollow

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.reader is None or self.reader.ended


async def arrivals(choices: list[OpenChoice]) -> AsyncGenerator[tuple[OpenChoice, Sequence[Event]], None]:
    """Events of all choices as they arrive, those of each in order."""
    for choice in choices:
        yield choice, choice.events
    if len(choices) == 1:
        while not choices[0].is_ended:
            yield choices[0], await choices[0].next()
        return
    reading = {asyncio.ensure_future(choice.next()): choice for choice in choices if not choice.is_ended}
    try:
        while reading:
            done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                choice = reading.pop(task)
                yield choice, task.result()
                if not choice.is_ended:
                    reading[asyncio.ensure_future(choice.next())] = choice
    finally:
        for task in reading:
            task.cancel()
        # Whoever closes the streams next must not meet a read that is still going on.
        await asyncio.gather(*reading, return_exceptions=True)
