"""A comment where a stream was silent for a period, and nowhere else."""

import asyncio
from typing import Any

from gateway.heartbeat import BEAT, Heartbeat
from gateway.relay import Exchange


def stream(sent: list[bytes]) -> Exchange:
    async def receive() -> dict[str, Any]:
        return await asyncio.Future()

    async def send(event: Any) -> None:
        sent.append(event["body"])

    return Exchange({"headers": []}, receive, send)


async def _silent_stream_gets_a_beat() -> list[bytes]:
    sent: list[bytes] = []
    exchange, heart = stream(sent), Heartbeat(60)
    heart.join(exchange)
    await heart.beat()
    await exchange.write(b"data: x\n\n")
    await heart.beat()
    await heart.beat()
    heart.leave(exchange)
    await heart.beat()
    return sent


def test_beat_comes_only_after_a_period_without_a_write() -> None:
    assert asyncio.run(_silent_stream_gets_a_beat()) == [BEAT, b"data: x\n\n", BEAT]


async def _busy_writer_is_left_alone() -> list[bytes]:
    sent: list[bytes] = []
    exchange, heart = stream(sent), Heartbeat(60)
    heart.join(exchange)
    exchange.is_writing = True
    await heart.beat()
    return sent


def test_beat_never_comes_between_the_pieces_of_a_slow_write() -> None:
    assert asyncio.run(_busy_writer_is_left_alone()) == []


def test_leave_of_a_stream_that_never_joined_is_nothing() -> None:
    Heartbeat(60).leave(stream([]))
