"""Load: wrk for whole answers (closed loop), asyncio for streams and for a fixed rate (open loop). Answers are checked.

Every prompt differs in its first words, so that no cache of any gateway helps with counting it.
"""

import asyncio
import itertools
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import cost_of
from benchmarks.subject import Target

_PROMPT = "The quick brown fox jumps over the lazy dog and goes home. " * 16  # with its number about 1 KB
_SCRIPT = Path(__file__).with_name("check_answers.lua")


class BadAnswer(Exception):
    """An answer was not what it must be: the run is void."""


@dataclass(slots=True, frozen=True)
class Measured:
    """One closed-loop run. `cpu_us` is processor time of the target's processes per request."""

    concurrency: int
    requests: int
    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Streamed:
    """A run of streams. `cpu_us` is processor time per relayed event; times are milliseconds."""

    streams: int = 0
    events: int = 0
    seconds: float = 0.0
    cpu_us: float = 0.0
    first_token_ms: list[float] = field(default_factory=list)
    gaps_ms: list[float] = field(default_factory=list)


def chat_body(target: Target, number: int, *, stream: bool = False, directions: str = "") -> bytes:
    """One request; `directions` are read by the fake upstream."""
    content = f"{number} {directions} {_PROMPT}"
    body: dict[str, object] = {
        "model": target.model,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}],
        "max_tokens": 256,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body, separators=(",", ":")).encode()


def measure_closed_loop(target: Target, concurrency: int, seconds: int) -> Measured:
    """Wrk with `concurrency` connections, each sending as soon as it has its answer."""
    template = chat_body(target, 0).decode().replace('"0 ', '"NUMBER ', 1)
    threads = 2 if concurrency > 1 else 1
    command = ["wrk", "-t", str(threads), "-c", str(concurrency), "-d", f"{seconds}s", "--timeout", "30s"]
    command += [
        "-s",
        str(_SCRIPT),
        f"http://127.0.0.1:{target.port}{target.path}",
        "--",
        target.key,
        template,
        target.proof,
    ]
    before = cost_of(target.pid)
    finished = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=True)
    after = cost_of(target.pid)
    found = json.loads(finished.stdout.rpartition("RESULT ")[2])
    if found["errors"] or not found["requests"]:
        raise BadAnswer(f"{target.name} at {concurrency}: {found}")
    cpu_us = (after.cpu - before.cpu) / found["requests"] * 1e6
    per_second = found["requests"] / found["seconds"]
    return Measured(concurrency, found["requests"], per_second, cpu_us, found["p50_ms"], found["p99_ms"])


async def measure_streams(target: Target, concurrency: int, rounds: int, directions: str) -> Streamed:
    """`concurrency` readers, each reading `rounds` streams to their `[DONE]`, one after another."""
    result = Streamed()
    numbers = itertools.count(1)

    async def read_some() -> None:
        for _ in range(rounds):
            await _read_stream(target, next(numbers), directions, result)

    before, started = cost_of(target.pid), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(read_some())
    result.seconds = time.perf_counter() - started
    after = cost_of(target.pid)
    result.cpu_us = (after.cpu - before.cpu) / result.events * 1e6
    return result


async def _read_stream(target: Target, number: int, directions: str, result: Streamed) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    try:
        sent = time.perf_counter()
        writer.write(_http_request(target, chat_body(target, number, stream=True, directions=directions)))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise BadAnswer(head.decode(errors="replace"))
        last, kept = 0.0, b""
        while b"data: [DONE]" not in kept:
            part = await reader.read(65536)
            if not part:
                raise BadAnswer(f"a stream of {target.name} ended without [DONE]")
            now = time.perf_counter()
            (result.gaps_ms if last else result.first_token_ms).append((now - (last or sent)) * 1e3)
            last = now
            result.events += part.count(b"data: ")
            kept = kept[-16:] + part
        result.streams += 1
    finally:
        writer.close()


async def measure_open_loop(
    target: Target, per_second: int, seconds: float, body: Callable[[int], bytes]
) -> list[float]:
    """Latencies in ms at a fixed rate, each counted from when the request was due and not from when it was sent."""
    count = int(per_second * seconds)
    latencies: list[float] = []
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    started = time.perf_counter() + 0.05

    async def ask(number: int) -> None:
        due = started + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(_http_request(target, body(number)))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise BadAnswer(head.decode(errors="replace"))
        await reader.readexactly(_length(head))
        latencies.append((time.perf_counter() - due) * 1e3)
        idle.append((reader, writer))

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(ask(number))
    for _, writer in idle:
        writer.close()
    return latencies


def _http_request(target: Target, body: bytes) -> bytes:
    head = f"POST {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {target.key}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise BadAnswer("an answer without content-length: " + head.decode(errors="replace"))


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
