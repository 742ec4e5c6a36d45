"""Keeps silent streams alive for the proxies and clients in between: a comment line where nothing else was written.

One timer for all streams of a worker. Clients ignore SSE comments; the reference clients break on anything more.
"""

import asyncio

from gateway.relay import Exchange

BEAT = b": ping\n"  # one line break: with two, some clients see an empty event


class Heartbeat:
    """Writes to a stream that was silent for one whole period, so after one to two of them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds  # read before every round
        self._streams: dict[Exchange, int] = {}

    def join(self, stream: Exchange) -> None:
        """From now on, until `leave`."""
        self._streams[stream] = stream.writes

    def leave(self, stream: Exchange) -> None:
        """May be called for a stream that never joined."""
        self._streams.pop(stream, None)

    async def run(self) -> None:
        """For as long as the worker lives."""
        while True:
            await asyncio.sleep(self.seconds)
            await self.beat()

    async def beat(self) -> None:
        """One round."""
        for stream, seen in list(self._streams.items()):
            if stream.writes == seen and not stream.is_writing and stream in self._streams:
                await stream.write(BEAT)
            if stream in self._streams:
                self._streams[stream] = stream.writes
