"""The worker process: `python -m gateway.supervise.worker_process CONTROL LISTENER`, two inherited sockets.

It receives its order, builds the app and serves it with uvicorn until told to leave. It never outlives its parent: when
the control socket closes it drains as if it had been told to. The first SIGTERM drains, the second cancels what still
runs; both end with the app's own shutdown and status 0. Relieved by others, it sees its clients off without a hurry:
no connection is hung up on on which a request may be on its way.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Protocol

import uvicorn

from gateway.config.settings import ServerSettings, Settings
from gateway.log.setting_up import set_up
from gateway.metrics import join_slot
from gateway.supervise.certificate import create_context, expires, renew
from gateway.supervise.order import (
    ACCEPTED,
    BEAT,
    DECLINED,
    READY,
    Decision,
    Farewell,
    Inbox,
    Message,
    Offer,
    receive_order,
)
from gateway.supervise.protocol import BoundedConfig, BoundedProtocol
from gateway.supervise.proxies import TrustedProxies

_KEEP_ALIVE_SECONDS = 75  # longer than common proxies keep theirs, so that they close first
_LEAST_FAREWELL_SECONDS = 1.0  # for connections that were accepted and have not said anything yet (TLS handshakes)
_log = logging.getLogger("gateway.worker")

_TICKS_PER_BEAT = 20  # uvicorn ticks ten times a second


class App(Protocol):
    """What a worker runs, besides an ASGI callable."""

    def prepare(self, settings: Settings) -> None:
        """Get ready for other settings without using them yet. Raises what makes them impossible."""
        ...

    def decide(self, *, is_adopted: bool) -> None:
        """Use what was prepared from the next request on, or forget it."""
        ...

    def post_notice(self, text: str) -> None:
        """A sentence for the readiness page."""
        ...

    def leave(self) -> None:
        """Say on the readiness page that this worker is not there for new clients any more."""
        ...


class WorkerServer(uvicorn.Server):
    """The server of uvicorn, obeying the control socket and ending without a signal of its own."""

    def __init__(self, config: BoundedConfig, control: socket.socket, app: App) -> None:
        super().__init__(config)
        self._bounds = config
        self._control = control
        self._app = app
        self._inbox = Inbox()
        self._waiting: list[Message] = []
        self._offered: Offer | None = None
        self._is_relieved = False
        self._is_told_to_end = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A plain uvicorn would raise a captured signal again at the end; the handlers are set in `startup` instead."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.leave)
        loop.add_signal_handler(signal.SIGINT, self.leave)
        self._control.setblocking(False)
        loop.add_reader(self._control, self._listen)
        await super().startup(sockets)
        self._tell(READY)
        self._obey()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_BEAT == 0:
            self._tell(BEAT)
        return await super().on_tick(counter)

    def leave(self) -> None:
        """Drain; when told so already, cancel what still runs. Cancelled requests settle in their `finally`."""
        if not self._is_told_to_end:
            self._is_told_to_end = self.should_exit = True
            self._app.leave()
            return
        for task in list(self.server_state.tasks):
            task.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._is_relieved:
            for server in self.servers:
                server.close()
            await self._see_off()
        await super().shutdown(sockets)

    async def _see_off(self) -> None:
        """Go on answering those who are connected, until they are gone or quiet, or it takes too long."""
        now = asyncio.get_running_loop().time
        began = now()
        patience = self.config.timeout_graceful_shutdown or 0.0
        while not self._is_told_to_end and now() - began < patience:
            connections = self.server_state.connections
            is_over = all(isinstance(each, BoundedProtocol) and each.is_quiet() for each in connections)
            if is_over and now() - began >= _LEAST_FAREWELL_SECONDS:
                break
            await asyncio.sleep(0.05)
        if not self._is_told_to_end:  # else the time to drain begins with that word
            self.config.timeout_graceful_shutdown = max(1, round(patience - (now() - began)))

    def _listen(self) -> None:
        """Take what the parent says; its silence is the end."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            piece = self._control.recv(65536)
            if piece:
                self._waiting += self._inbox.feed(piece)
                self._obey()
                return
        asyncio.get_running_loop().remove_reader(self._control)
        if not self._is_told_to_end:
            self.leave()

    def _obey(self) -> None:
        """Carry out what waits. What comes while the app is still starting waits until it has started."""
        while self.started and self._waiting:
            message = self._waiting.pop(0)
            if isinstance(message, Offer):
                self._prepare(message)
            elif isinstance(message, Decision):
                if message.is_adopted and self._offered is not None:
                    self._adopt(self._offered)
                self._app.decide(is_adopted=message.is_adopted)
            elif isinstance(message, Farewell):
                self._take_leave(message)
            else:
                self._app.post_notice(message.text)

    def _take_leave(self, farewell: Farewell) -> None:
        self._bounds.is_leaving = True
        for connection in self.server_state.connections:
            if isinstance(connection, BoundedProtocol):
                connection.take_leave()
        if farewell.is_relieved:  # whoever asks for readiness here has a ready gateway before them
            self._is_relieved = self.should_exit = True
        else:
            self._app.leave()

    def _adopt(self, offer: Offer) -> None:
        server = offer.settings.server
        self._bounds.timeout_graceful_shutdown = max(1, round(offer.drain_seconds))
        bound(self._bounds, server)
        if self._bounds.ssl is not None:
            renew(self._bounds.ssl, server.tls_certificate, server.tls_key)

    def _prepare(self, offer: Offer) -> None:
        server = offer.settings.server
        try:
            if bool(server.tls_certificate) != (self._bounds.ssl is not None):
                raise ValueError("only a restart can switch TLS on or off (server.tls_certificate)")
            if server.tls_certificate:
                create_context(server.tls_certificate, server.tls_key)
                expires(server.tls_certificate)
            self._app.prepare(offer.settings)
        except (ValueError, OSError) as error:
            _log.error("the new configuration does not work here: %s", error)
            self._tell(DECLINED)
            return
        self._offered = offer
        self._tell(ACCEPTED)

    def _tell(self, word: bytes) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            self._control.send(word)


def bound(config: BoundedConfig, server: ServerSettings) -> None:
    """What a running listener can take over."""
    config.request_seconds = server.request_seconds
    config.proxies = TrustedProxies(server.trusted_proxies) if server.trusted_proxies else None


def main(arguments: list[str]) -> int:
    """Serve until told to leave. Raises whatever the app's construction raises: the parent sees the status."""
    # A signal before the loop runs just ends the process: nothing has been accepted yet.
    control, listener = (socket.socket(fileno=int(number)) for number in arguments)
    order = receive_order(control)
    set_up(order.worker.settings.log.format)
    join_slot(order.worker.slot)
    module, _, function = order.app.partition(":")
    app = getattr(import_module(module), function)(order.worker)
    config = BoundedConfig(
        app,
        loop="auto",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(order.drain_seconds)),
    )
    server = order.worker.settings.server
    bound(config, server)
    config.load()
    config.ssl = create_context(server.tls_certificate, server.tls_key) if server.tls_certificate else None
    WorkerServer(config, control, app).run([listener])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
