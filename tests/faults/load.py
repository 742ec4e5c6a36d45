"""Clients that ask all the time on bare sockets, and what each of them saw: the one side of the fault matrix.

Every request names itself: to the simulator by a switch, to the ledger by its `user` tag. So a request is found again
on both sides even if nobody ever told its client an id.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from support.gateway import GatewayProcess

MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"
MAX_TOKENS = 64
PATIENCE_SECONDS = 40.0
PACE = 0.004  # seconds between events: a stream takes about 0.1 s


@dataclass(slots=True)
class Asked:
    """One request and how it looked to its client. `is_answered`: the end of a good answer was seen."""

    tag: str
    is_stream: bool
    is_answered: bool = False
    status: int = 0
    events: int = 0


@dataclass(slots=True)
class Demand:
    """What to ask for: further switches of the simulator, and after how many events (or seconds) the client leaves."""

    is_stream: bool
    switches: str = f"pace={PACE}"
    leave_after_events: int | None = None
    leave_after_seconds: float | None = None


def ask(product: GatewayProcess, tag: str, demand: Demand) -> Asked:
    """One request on a connection of its own."""
    asked = Asked(tag, demand.is_stream)
    text = f"Count to 12 [[sim: tag={tag} {demand.switches}]]"
    body = {"model": MODEL, "stream": demand.is_stream, "max_tokens": MAX_TOKENS, "user": tag}
    data = json.dumps({**body, "messages": [{"role": "user", "content": text}]}).encode()
    host, port = product.origin.removeprefix("http://").split(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {product.key}\r\n"
            f"connection: close\r\ncontent-length: {len(data)}\r\n\r\n".encode()
            + data
        )
        _read(connection, asked, demand)
    return asked


def _read(connection: socket.socket, asked: Asked, demand: Demand) -> None:
    seen = b""
    if demand.leave_after_seconds is not None:
        connection.settimeout(demand.leave_after_seconds)
    while demand.leave_after_events is None or seen.count(b"data: ") < demand.leave_after_events:
        with suppress(TimeoutError):
            piece = connection.recv(65536)
            seen += piece
            if piece:
                continue
        break
    head, end_of_head, body = seen.partition(b"\r\n\r\n")
    if end_of_head:
        asked.status = int(head.split(b" ", 2)[1])
    asked.events = body.count(b"data: ")
    end = b"data: [DONE]" if asked.is_stream else b'"service_tier"'
    asked.is_answered = asked.status == 200 and end in body and b'"error"' not in body


@dataclass(slots=True)
class Load:
    """Threads that ask without pause, half of them for streams. `asked` is complete once the load has ended."""

    products: Sequence[GatewayProcess]
    clients: int = 6
    asked: list[Asked] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._use, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def one(self, product: GatewayProcess, demand: Demand) -> Asked:
        """A request of the test's own, beside the threads' or without them."""
        asked = ask(product, f"q{next(self._numbers)}", demand)
        self.asked.append(asked)
        return asked

    def wait_for(self, condition: Callable[[], bool], seconds: float = 180.0) -> None:
        """Let the load go on until something has happened."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("the load does not go on")
            time.sleep(0.02)

    def more_answers(self, number: int, status: int = 200) -> None:
        """Wait until so many further requests were answered, or refused with this status."""

        def seen() -> int:
            return sum(1 for one in list(self.asked) if one.status == status and (status != 200 or one.is_answered))

        goal = seen() + number
        self.wait_for(lambda: seen() >= goal)

    def _use(self, number: int) -> None:
        chance = random.Random(number)
        while not self._is_over.is_set():
            asked = self.one(chance.choice(self.products), Demand(is_stream=number % 2 == 0))
            if asked.status != 200:
                time.sleep(0.05)  # whoever is refused waits a little
