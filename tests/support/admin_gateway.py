"""The admin API and the dashboard alone, really served by uvicorn, over a real store, under one prefix of its own.

Rows and roll-ups can be put into the store as store/layout.py draws them, so that reports have something to report.
"""

import asyncio
import dataclasses
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import redis
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway.config.load import load
from gateway.core.receipt import Attempt, Receipt
from gateway.dashboard.routes import Doorkeeper
from gateway.dashboard.routes import routes as dashboard_routes
from gateway.dashboard.sessions import Sessions
from gateway.dashboard.sign_in_rate import SignInRate
from gateway.guesses import Guesses
from gateway.ledger.pace import pace_commands
from gateway.ledger.rollups import row_sums
from gateway.organization.rejections import Rejections
from gateway.organization.routes import routes
from gateway.organization.service import admin_service
from gateway.organization.sign_ins import SignIns
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

ADMIN_KEY = "sk-admin-only-for-tests-0123456789"

CATALOG = load("routes: {fast: {models: [llama-3.1-8b-instruct-fast]}}", {}, Path("/"), demo=False).catalog
"""The built-in catalogue and a route `fast`."""

_prefixes = count(1)


@dataclass
class AdminGateway:
    """A running admin API."""

    layout: Layout
    redis: Any  # redis-py types its replies as unions of everything
    store_url: str
    url: str = ""
    started: threading.Event = field(default_factory=threading.Event)
    has_webhook: bool = True
    minutes: int = 0  # added to the clock by which failed authentications are counted: tests are minutes apart

    def clock(self) -> float:
        """Seconds."""
        return time.monotonic() + 60 * self.minutes

    def add_row(self, **given: Any) -> Receipt:  # any field of a receipt
        """Put a settled request into the store: row, indexes, roll-ups, and the month's counters are left alone."""
        row = a_receipt(**given)
        row.rolled_up = list(row.tags)
        pipe = self.redis.pipeline()
        pipe.set(self.layout.row(row.id), msgspec.json.encode(row))
        for scope in ("", f"p:{row.project_id}", f"k:{row.api_key_id}"):
            pipe.zadd(self.layout.rows(scope), {row.id: row.created_ms})
        pipe.execute()
        second = row.created_ms // 1000
        hour, day = second - second % 3600, second - second % 86400
        name = f"{row.project_id}|{row.api_key_id}|{row.model}"
        for key, entry in (
            (self.layout.shared("use", "h", hour), name),
            (self.layout.shared("use", "d", day), name),
            (self.layout.shared("use", "p", day), f"{hour}|{row.project_id}|{row.model}"),
            *(
                (self.layout.shared("use", "t", day), f"{hour}|{row.project_id}|{row.model}|{tag}={value}")
                for tag, value in row.tags.items()
            ),
        ):
            old = (self.redis.hget(key, entry) or b"0 0 0 0 0 0 0 0").split()
            sums = [int(before) + added for before, added in zip(old, row_sums(row), strict=True)]
            self.redis.hset(key, entry, " ".join(map(str, sums)))
        for command in pace_commands(self.layout, [row]):
            self.redis.execute_command(*command)
        return row


def fill_stream(gateway: AdminGateway, name: str, length: int) -> None:
    """Put so many entries into one of the organisation's streams."""
    script = "for _ = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'event', 'old') end"
    gateway.redis.eval(script, 1, gateway.layout.shared(name), length)


_ids = count(1)


def a_receipt(**given: Any) -> Receipt:  # any field of a receipt
    """A plausible receipt; every field can be given."""
    plausible: dict[str, Any] = {  # fields of several types
        "id": f"req_{next(_ids):032x}",
        "created_ms": 1_767_268_800_000,  # 2026-01-01 12:00:00
        "organization_id": "org_1",
        "project_id": "proj_1",
        "api_key_id": "key_1",
        "surface": "chat",
        "requested_model": "auto",
        "route": "auto",
        "reason": "cheapest",
        "model": "@cf/meta/llama-3.1-8b-instruct-fp8",
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": 0,
        "cost_nano": 20_940,
        "neurons_nano": 1_900_000_000,
        "usage_source": "reported",
        "price_source": "test",
        "end_reason": "stop",
        "status": 200,
        "stream": False,
        "latency_ms": 900,
        "ttft_ms": None,
        "upstream": "simulator",
        "attempts": [Attempt(model="@cf/meta/llama-3.1-8b-instruct-fp8", end="stop", neurons_nano=1_900_000_000)],
    }
    return Receipt(**{**plausible, **given})


@contextmanager
def admin_gateway(store_url: str) -> Iterator[AdminGateway]:
    """Serve the admin API until the end of the block."""
    layout = Layout(prefix=f"admin{next(_prefixes)}:")
    client = redis.Redis.from_url(store_url)
    gateway = AdminGateway(layout, client, store_url)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        store = RedisStore(store_url, layout)
        sessions = Sessions(store, layout, ADMIN_KEY)
        admin = admin_service(store, layout, ADMIN_KEY, lambda: CATALOG, sessions.find_viewer)
        rejections = Rejections(clock=gateway.clock)
        admin = dataclasses.replace(admin, guesses=Guesses(gateway.clock), rejections=rejections)
        admin = dataclasses.replace(admin, has_webhook=lambda: gateway.has_webhook)
        doorkeeper = Doorkeeper(sessions, SignInRate(store, layout), admin.auth.key_hash, SignIns(admin))
        app.router.routes += [Mount("/v1/organization", routes=routes(admin)), *dashboard_routes(doorkeeper)]
        yield
        await store.close()

    config = uvicorn.Config(Starlette(lifespan=lifespan), host="127.0.0.1", port=0, log_level="error", ws="none")
    server = _Server(config, gateway.started)
    with _Thread(server):
        assert gateway.started.wait(20)
        port = server.servers[0].sockets[0].getsockname()[1]
        gateway.url = f"http://127.0.0.1:{port}"
        yield gateway
    client.close()


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._told = started

    async def startup(self, sockets: Any = None) -> None:  # uvicorn's signature
        await super().startup(sockets)
        self._told.set()


class _Thread:
    """Runs a server's loop beside the test."""

    def __init__(self, server: uvicorn.Server) -> None:
        self._server = server
        self._thread = threading.Thread(target=lambda: asyncio.run(server.serve()))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join()
