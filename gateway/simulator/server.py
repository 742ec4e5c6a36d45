"""Runs the simulator on uvicorn: blocking for the command line, or inside a running event loop for tests."""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.simulator.app import SimulatorApp, create_app
from gateway.simulator.exchange import TRANSPORT
from gateway.simulator.options import SimulatorOptions
from gateway.simulator.record import Record
from gateway.simulator.scenario import parse_scenario
from gateway.simulator.state import State

_DRAIN_SECONDS = 2
_BACKLOG = 2048
_TICK_SECONDS = 1.0


class SimulatorProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with the connection put into the scope so that the app can break it."""

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {TRANSPORT: self.transport}}


class _EmbeddedServer(uvicorn.Server):
    """A server that leaves the process's signals alone, tells when it is ready, and stops without delay."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stop = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none: they belong to whoever embeds the simulator."""
        yield

    async def main_loop(self) -> None:
        """Serve until stopped, at once: uvicorn's own loop looks every tenth of a second. A tick renews the date."""
        while not self.stop.is_set():
            await self.on_tick(0)
            self.ready.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop at once: break open connections, end their tasks."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in (tasks := list(self.server_state.tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lifespan.shutdown()


def _config(app: SimulatorApp, options: SimulatorOptions, log_level: str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        http=SimulatorProtocol,
        lifespan="on",
        log_level=log_level,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        backlog=_BACKLOG,
    )


def serve(options: SimulatorOptions) -> None:
    """Run a simulator until it is told to stop. Blocks."""
    uvicorn.Server(_config(create_app(options), options, "warning")).run()


class Simulator:
    """A running simulator, as a test sees it."""

    def __init__(self, app: SimulatorApp, options: SimulatorOptions, origin: str) -> None:
        self.options = options
        self.origin = origin
        self.base_url = f"{origin}/client/v4"
        self.account_id = options.account_id
        self.api_token = options.api_token
        self.state: State = app.state

    @property
    def record(self) -> Record:
        """The truth of every call so far."""
        return self.state.record

    def run_url(self, model: str) -> str:
        """The URL that runs a model."""
        return f"{self.base_url}/accounts/{self.account_id}/ai/run/{model}"

    def set_scenario(self, text: str) -> None:
        """Replace the rules in force by those of a YAML or JSON text. Raises BadSwitch."""
        self.state.apply(parse_scenario(text))

    def open_gate(self, name: str) -> None:
        """Let the calls waiting at a gate, and later ones, through."""
        self.state.gates.open(name)

    def advance_clock(self, seconds: float) -> None:
        """Let time pass for limits and days."""
        self.state.clock_shift += seconds


@asynccontextmanager
async def running(options: SimulatorOptions | None = None) -> AsyncIterator[Simulator]:
    """A simulator on an ephemeral port of 127.0.0.1, in the current event loop, until the block is left.

    `host` and `port` of the options are not used. Open connections are closed at the end.
    """
    options = options or SimulatorOptions()
    app = create_app(options)
    listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    server = _EmbeddedServer(_config(app, options, "error"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield Simulator(app, options, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        ready.cancel()
        server.stop.set()
        await task
        listener.close()
