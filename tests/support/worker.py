"""A whole worker in the loop of the test: the app under uvicorn, a simulator as upstream, a real store behind both.

Everything runs in the test's process, so that coverage sees it and a test can wait for what has happened inside.
"""

import asyncio
import contextlib
import json
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import uvicorn
from support.ledgers import Books, assert_books_agree, read_books

from gateway.app import Gateway, create_app
from gateway.config.load import load
from gateway.core.contracts import Surface
from gateway.core.receipt import Receipt
from gateway.core.records import Project, Rules
from gateway.ledger.service import StoreLedger
from gateway.relay import Receive, Scope, Send
from gateway.simulator import Simulator, SimulatorOptions, running
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore
from gateway.worker import WorkerSettings

ADMIN_KEY = "sk-admin-only-for-tests-0123456789"
FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
FAST = "@cf/meta/llama-3.1-8b-instruct-fast"
PATIENCE_SECONDS = 60.0  # how long a test waits for what must happen; reached only by a failure

Json = dict[str, Any]  # a decoded document

_numbers = count(1)


@dataclass(slots=True)
class RunningWorker:
    """A worker that serves, and what its test looks at."""

    app: Gateway
    upstream: Simulator
    port: int
    folder: Path
    layout: Layout
    store: RedisStore  # a connection of the test's own
    http: httpx2.AsyncClient
    server: "EmbeddedServer"
    project: str = ""
    key: str = ""
    surfaces: dict[str, Surface] = field(default_factory=dict)  # served by its dispatch besides the real ones

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ledger(self) -> StoreLedger:
        return self.app._ledger

    async def admin(self, method: str, path: str, **arguments: Any) -> Json:  # what httpx2 takes
        """One call of the admin API."""
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        answer = await self.http.request(method, f"/v1/organization{path}", headers=headers, **arguments)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def make_key(self) -> None:
        """A project with a key, used from now on."""
        self.project = (await self.admin("POST", "/projects", json={"name": "tests"}))["id"]
        made = await self.admin("POST", f"/projects/{self.project}/service_accounts", json={"name": "tests"})
        self.key = made["api_key"]["value"]

    async def limit(self, cents: int) -> None:
        """Give the project a monthly budget."""
        body = {"threshold_amount": cents, "currency": "USD", "interval": "month"}
        await self.admin("POST", f"/projects/{self.project}/spend_limit", json=body)

    async def set_rules(self, rules: Rules) -> None:
        """Give the project these rules."""
        name = self.layout.project(self.project)
        record = msgspec.json.decode(await self.store.command("HGET", name, "data"), type=Project)
        changed = msgspec.structs.replace(record, rules=rules, version=record.version + 1)
        await self.store.command("HSET", name, "v", changed.version, "data", msgspec.json.encode(changed))

    async def request(self, method: str, path: str, **arguments: Any) -> httpx2.Response:  # what httpx2 takes
        """One request with the project's key."""
        headers = {"authorization": f"Bearer {self.key}", **arguments.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **arguments)

    async def ask(
        self,
        text: str,
        model: str = FP8,
        path: str = "/v1/chat/completions",
        **fields: Any,  # any field of a request body
    ) -> httpx2.Response:
        """One chat completion with one user message, read to its end."""
        return await self.request("POST", path, json=asking(text, model, **fields))

    @asynccontextmanager
    async def connection(self, body: Json) -> AsyncIterator["RawConnection"]:
        """A chat completion on a socket of its own, to be read piece by piece and to be left."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        content = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\n"
        writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(content) + content)
        try:
            yield RawConnection(reader, writer)
        finally:
            writer.transport.abort()

    def cancel_requests(self) -> None:
        """What a worker does to requests that outlast its time to drain."""
        for task in list(self.server.server_state.tasks):
            task.cancel()

    async def at_gate(self, name: str) -> None:
        """Return when an upstream call waits at the gate."""
        await until(lambda: self.upstream.state.gates.waiting.get(name))

    async def rows(self, expected: int) -> list[Receipt]:
        """The ledger's rows, oldest first, once there are so many; nothing is held and all sums agree."""
        books = await self._quiet_books(expected)
        assert len(books.rows) == expected, [row.id for row in books.rows.values()]
        return sorted(books.rows.values(), key=lambda row: (row.created_ms, row.id))

    async def _quiet_books(self, expected: int) -> Books:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if not self.ledger.live and not self.ledger.pending:
                    books = await read_books(self.store, self.layout)
                    if len(books.rows) >= expected and not books.holds:
                        break
                await asyncio.sleep(0.005)
        assert_books_agree(books)
        assert all(not +held for held in books.held.values()), books.held
        return books


@dataclass(slots=True, frozen=True)
class RawConnection:
    """One HTTP exchange, as bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def until(self, mark: bytes) -> bytes:
        """Read on until `mark` has come."""
        seen = b""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while mark not in seen:
                piece = await self.reader.read(65536)
                assert piece, seen
                seen += piece
        return seen

    def leave(self) -> None:
        """Break the connection."""
        self.writer.transport.abort()


class EmbeddedServer(uvicorn.Server):
    """A server that leaves the process's signals alone and ends without delay."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.port = 0
        self.is_ready = asyncio.Event()
        self.is_over = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.is_ready.set()
        await self.is_over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in (tasks := list(self.server_state.tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lifespan.shutdown()


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[EmbeddedServer]:  # any ASGI app
    """Uvicorn serving `app` on a free port until the end of the block."""
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="on", access_log=False, log_config=None, server_header=False
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = EmbeddedServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    ready = asyncio.create_task(server.is_ready.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        assert ready.done()
        server.port = listener.getsockname()[1]
        yield server
    finally:
        ready.cancel()
        server.is_over.set()
        await task
        listener.close()


def worker_settings(simulator: Simulator, store_url: str, folder: Path, **sections: Json) -> WorkerSettings:
    """What a worker is given, with `sections` of the configuration changed."""
    document: Json = {
        "data_dir": str(folder / "data"),
        "admin_key": ADMIN_KEY,
        "store": {"url": store_url, "prefix": f"w{next(_numbers)}:"},
        **sections,
    }
    document["upstream"] = {
        "base_url": simulator.base_url,
        "account_id": simulator.account_id,
        "api_token": simulator.api_token,
        **sections.get("upstream", {}),
    }
    text = re.sub(r'"(\d{4}-\d\d-\d\d)"', r"\1", json.dumps(document))  # a day is no text in YAML
    settings = load(text, {}, folder, demo=False)
    return WorkerSettings(settings, store_url, ADMIN_KEY, upstream_name="simulator")


@asynccontextmanager
async def running_worker(
    store_url: str, options: SimulatorOptions | None = None, *, is_store_there: bool = True, **sections: Json
) -> AsyncIterator[RunningWorker]:
    """A worker with a project and a key, its data in a directory that ends with it."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gww", ignore_cleanup_errors=True)))
        upstream = await stack.enter_async_context(running(options or SimulatorOptions(seed=1)))
        worker = worker_settings(upstream, store_url, folder, **sections)
        app = create_app(worker)
        surfaces: dict[str, Surface] = {}
        server = await stack.enter_async_context(serving(_with_surfaces(app, surfaces)))
        layout = Layout(worker.settings.store.prefix)
        store = RedisStore(store_url, layout)
        stack.push_async_callback(store.close)
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=PATIENCE_SECONDS)
        )
        found = RunningWorker(app, upstream, server.port, folder, layout, store, http, server, surfaces=surfaces)
        if is_store_there:
            await store.bind_instance(None)
            await found.make_key()
        yield found


def _with_surfaces(app: Gateway, surfaces: Mapping[str, Surface]) -> Any:  # an ASGI app
    """The app, with further surfaces in front of its own dispatch."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        surface = surfaces.get(scope.get("path", ""))
        if surface is None:
            await app(scope, receive, send)
        else:
            await app._dispatch.serve(surface, scope, receive, send)

    return route


def asking(text: str, model: str = FP8, **fields: Any) -> Json:  # any field of a request body
    """A chat completion's body with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def chunks_of(body: bytes) -> list[Json]:
    """The JSON of every event of an answer's stream, without the end mark."""
    events = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(event) for event in events if event != b"[DONE]"]


def text_of(body: bytes, index: int = 0) -> str:
    """The text of one choice of a stream."""
    choices = [choice for chunk in chunks_of(body) for choice in chunk.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices if choice["index"] == index)


async def until(condition: Any) -> None:  # a function whose answer counts as yes or no
    """Let the loop run until something has happened in it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0.002)
