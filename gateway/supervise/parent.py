"""The parent's life: take the data directory, bring up store, simulator, metrics and workers in that order, keep them
up, and take them down in the opposite order. What to print is the command line's affair.

On SIGUSR2 it replaces its own program without letting go of anything: the new one starts its workers beside the old
ones, on the same socket, and then relieves those.
"""

import logging
import os
import select
import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.config.settings import MetricsSettings, Settings
from gateway.metrics import MetricsListener
from gateway.store.embedded import EmbeddedStore, EmbeddedStoreError
from gateway.supervise.certificate import PINNED_NAME, expires
from gateway.supervise.crew import Crew
from gateway.supervise.data_directory import DataDirectory, write_secret
from gateway.supervise.errors import CannotStart
from gateway.supervise.handover import Handover, replace_program
from gateway.supervise.listener import Address, bind, check_certificate, raise_file_limit
from gateway.supervise.order import WorkerOrder
from gateway.supervise.predecessors import Predecessors
from gateway.supervise.reload import Reload, Running
from gateway.supervise.restart import Restart, note_start
from gateway.supervise.signals import ENDING, RESTARTING, Signals
from gateway.supervise.simulated import SimulatorProcess
from gateway.supervise.source import Source, Watch
from gateway.worker import WorkerSettings

_log = logging.getLogger("gateway.supervise")

_TICK_SECONDS = 1.0  # how late an adopted store's death may be noticed; our own children wake the parent
_START_SECONDS = 60.0
_LATE_SECONDS = 10.0  # for a worker's own shutdown, after its drain
_HURRY_SECONDS = 5.0


@dataclass(slots=True, frozen=True)
class ParentOptions:
    """`app` is the factory every worker calls, `module:function`. `may_move`: a taken port is no error.
    `adopts_store`: take whatever store answers, also a new or empty one.

    `source` reads the settings again while the gateway runs; without one they never change. `command` starts this
    program again, `handover` is what it left for itself; without a command there is no restart under load.
    """

    app: str = "gateway.app:create_app"
    may_move: bool = False
    adopts_store: bool = False
    runtime_directory: str | None = None  # XDG_RUNTIME_DIR
    hang_seconds: float = 60.0
    source: Source | None = None
    files: tuple[Path, ...] = ()  # what the settings were read from
    command: tuple[str, ...] = ()
    handover: Handover | None = None


class Parent:
    """One running gateway. Use as a context manager: whatever was started is ended on the way out."""

    def __init__(self, settings: Settings, options: ParentOptions | None = None) -> None:
        self.settings = settings
        self.options = options or ParentOptions()
        self.data = DataDirectory(settings.data_dir)
        self.store: EmbeddedStore | None = None
        self.admin_key = settings.admin_key
        self.wanted_port = self.port = settings.server.port
        self.metrics_trouble = ""
        self.open_files = 0
        self._signals = Signals()
        self._resources = ExitStack()
        self._store_pause_until = 0.0
        self._had_terminal = os.isatty(0)
        self._reload: Reload | None = None
        self._simulator: SimulatorProcess | None = None
        self._as_read = settings
        self._watch = Watch(self.options.files)
        self._handover = self.options.handover
        self._restart = Restart(self.options.command, settings, self._hand_over)

    def __enter__(self) -> Self:
        if self._handover is not None:  # a signal may have come while the program was replaced
            self._signals.start_is_over()
        self._signals.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._signals.start_is_over()  # an impatient Ctrl-C must not interrupt the tidying up
        self._resources.close()
        if isinstance(error, Exception):
            self._signals.restore()  # after a run they stay: a late Ctrl-C must not break the last steps

    def start(self) -> None:
        """Bring everything up; returns when every worker serves. Raises CannotStart, and Interrupted on a signal.

        A signal that comes later waits for `run`; so does one that comes while workers of the program before serve.
        """
        self._open_data()
        self.open_files = raise_file_limit()
        self._listener = self._bind()
        self.port = int(self._listener.getsockname()[1])
        if self.settings.is_demo:
            self._simulator = self._start_simulator()
        store_url = self._start_store()
        self.settings = settings = self._complete(self.settings)
        self._metrics = self._start_metrics()
        worker = WorkerSettings(
            settings=settings,
            store_url=store_url,
            admin_key=self.admin_key,
            upstream_name="simulator" if settings.is_demo else "cloudflare",
        )
        self._predecessors = Predecessors(self._handover.workers if self._handover else (), self._metrics)
        self._resources.callback(self._predecessors.end, settings.server.drain_seconds if self._handover else 0.0)
        taken = self._predecessors.slots()
        self._crew = Crew(
            WorkerOrder(worker, self.options.app, settings.server.drain_seconds),
            slots=islice((slot for slot in count() if slot not in taken), settings.server.workers),
            listener=self._listener,
            metrics=self._metrics,
            hang_seconds=self.options.hang_seconds,
        )
        self._resources.callback(self._crew.kill)
        self._crew.start()
        self._wait_until_ready()
        if self.options.source is not None:
            running = Running(self._crew, self._metrics, self._complete, self._pin)
            self._reload = Reload(self.options.source, self._as_read, self._watch, running)
        self._predecessors.relieve(settings.server.drain_seconds)
        self._pin(settings)
        note_start(self.data.path, self._restarts)
        self._signals.start_is_over()

    def run(self) -> None:
        """Keep everything up until told to end, then drain. The second signal hurries, the third kills."""
        while not self._is_told_to_end():
            self._wait()
            self._crew.tend()
            self._predecessors.tend()
            self._tend_store()
            if self._reload is not None:
                self._reload.tend()
            self._restart.tend()
        self._restart.stop()
        self._drain()

    def _open_data(self) -> None:
        if self._handover is not None:
            self.data.take_over(self._handover.lock)
        else:
            self.data.open()
        self._resources.callback(self.data.close)
        if self.options.adopts_store:
            self.data.forget_store()

    def worker_pids(self) -> list[int]:
        return [worker.process.pid for worker in self._crew.workers]

    def _complete(self, settings: Settings) -> Settings:
        """Settings as read, with the port that was taken and the simulator that was started."""
        settings = replace(settings, server=replace(settings.server, port=self.port))
        if self._simulator is None:
            return settings
        upstream = replace(
            settings.upstream,
            base_url=self._simulator.base_url(),
            account_id=self._simulator.account_id,
            api_token=self._simulator.api_token,
        )
        return replace(settings, upstream=upstream)

    def _pin(self, settings: Settings) -> None:
        """Let the commands on this machine know the certificate in use."""
        file = self.data.path / PINNED_NAME
        if settings.server.tls_certificate:
            write_secret(file, settings.server.tls_certificate)
            self._metrics.set_certificate_end(expires(settings.server.tls_certificate))
        else:
            file.unlink(missing_ok=True)

    def _bind(self) -> socket.socket:
        server = self.settings.server
        check_certificate(server)
        if self._handover is not None:
            left = socket.socket(fileno=self._handover.listener)
            if self._handover.address == (server.host, server.port):
                self._resources.callback(left.close)
                return left
            left.close()  # the workers before have it still, until they are relieved
        waits = self.data.was_left_in_a_hurry
        listener = bind(Address(server.host, server.port, may_move=self.options.may_move, may_wait=waits))
        self._resources.callback(listener.close)
        return listener

    def _start_store(self) -> str:
        if self.settings.store.url != "embedded":
            if not self.admin_key:
                raise CannotStart("`admin_key` must be given with an external store: all replicas share it")
            return self.settings.store.url
        self.admin_key = self.admin_key or self.data.admin_key()
        self.store = EmbeddedStore(self.data.store_home, runtime_directory=self.options.runtime_directory)
        self._resources.callback(self._stop_store, self.store)
        try:
            self.store.start()
        except EmbeddedStoreError as error:
            raise CannotStart(str(error)) from error
        return self.store.url

    def _start_simulator(self) -> SimulatorProcess:
        left = self._handover.simulator if self._handover is not None else None
        simulator = SimulatorProcess.taken_over(left) if left is not None else SimulatorProcess()
        self._resources.callback(simulator.stop)
        if left is None:
            simulator.start()
        return simulator

    def _start_metrics(self) -> MetricsListener:
        metrics = MetricsListener(self.data.metrics_directory, is_continued=self._handover is not None)
        self._resources.callback(metrics.close)
        listen = self.settings.metrics.listen
        if not listen:
            return metrics
        host, _, port = listen.rpartition(":")
        try:
            metrics.listen(host.strip("[]"), int(port))
        except OSError as error:
            # Somebody who chose an address relies on it; the built-in one gives way to a second gateway.
            if listen != MetricsSettings().listen:
                raise CannotStart(
                    f"cannot serve metrics on {listen}: {error.strerror}; set `metrics.listen`"
                ) from error
            self.metrics_trouble = f"{listen} is taken; set `metrics.listen`"
        return metrics

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._crew.is_ready:
            if time.monotonic() > deadline:
                raise CannotStart(f"the workers did not get ready within {_START_SECONDS:g} s")
            self._wait()
            self._crew.tend()

    def _wait(self) -> None:
        news = [self._signals.fileno(), *(control.fileno() for control in self._crew.controls())]
        select.select(news, [], [], _TICK_SECONDS)

    def _is_told_to_end(self) -> bool:
        came = self._signals.take()
        if RESTARTING in came:
            self._restart.ask()
        if signal.SIGHUP in came and not (ENDING & set(came)):
            if self._had_terminal and not os.isatty(0):
                return True  # the terminal was closed
            if self._reload is not None:
                self._reload.ask()
            else:
                _log.warning("SIGHUP changes nothing: there is no configuration to read again")
        return bool(ENDING & set(came))

    def _tend_store(self) -> None:
        if self.store is None or time.monotonic() < self._store_pause_until or self.store.is_alive():
            return
        _log.error("the embedded store died: starting it again")
        try:
            self.store.start()
            self._metrics.store_restarted()
        except EmbeddedStoreError as error:
            _log.error("%s", error)
            self._store_pause_until = time.monotonic() + _HURRY_SECONDS

    @property
    def _restarts(self) -> int:
        return self._handover.restarts if self._handover is not None else 0

    def _hand_over(self) -> None:
        """Become the new program. Raises OSError where that does not work."""
        before = self._as_read.server
        handover = Handover(
            lock=self.data.lock,
            listener=self._listener.fileno(),
            address=(before.host, before.port),
            workers=(*self._crew.left(), *self._predecessors.left()),
            simulator=self._simulator.left() if self._simulator is not None else None,
            restarts=self._restarts + 1,
        )
        replace_program(self.options.command, os.environ, handover)

    def _drain(self) -> None:
        in_force = (self._reload.settings if self._reload is not None else self.settings).server
        signals_seen = 1 + self._be_unready(in_force.unready_seconds)
        self._listener.close()
        deadline = time.monotonic() + in_force.drain_seconds + _LATE_SECONDS
        self._crew.drain()
        self._predecessors.drain()
        while (self._crew.workers or self._predecessors.left()) and signals_seen < 3 and time.monotonic() < deadline:
            self._wait()
            self._crew.remove_ended()
            self._predecessors.tend()
            self._tend_store()
            for number in self._signals.take():
                if number in ENDING:
                    signals_seen += 1
                    deadline = min(deadline, time.monotonic() + _HURRY_SECONDS)
                    self._crew.drain()
                    self._predecessors.drain()

    def _be_unready(self, seconds: float) -> int:
        """Serve on while readiness is denied, so that a load balancer can look away; how many signals cut it short."""
        until = time.monotonic() + seconds
        if seconds:
            self._crew.announce_leave()
        while time.monotonic() < until:
            self._wait()
            self._tend_store()
            if ENDING & set(self._signals.take()):
                return 1
        return 0

    @staticmethod
    def _stop_store(store: EmbeddedStore) -> None:
        try:
            store.stop()
        except EmbeddedStoreError as error:
            _log.error("%s; the next start adopts it", error)
