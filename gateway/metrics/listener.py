"""The parent's side: the listener that serves the sum over all workers, and what only the parent can count.

Each worker *slot* has one set of files in a directory the parent empties at every start; a replaced worker goes on
counting where its predecessor stopped, so no counter ever falls back while the gateway runs.
"""

import os
import shutil
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable in which prometheus-client expects the workers' directory."""


def join_slot(slot: int) -> None:
    """Make this process count into the files of `slot`. Once per worker, before its `Metrics` is made.

    Does nothing where the directory variable is not set (a process alone, without a parent).
    """
    if DIRECTORY_VARIABLE in os.environ:
        # The way prometheus-client documents for servers that number their workers themselves.
        values.ValueClass = values.MultiProcessValue(process_identifier=lambda: slot)  # type: ignore[no-untyped-call]  # no types there


class MetricsListener:
    """Serves `/metrics` from a thread: the sum over all slots. Made by the parent, before any worker.

    `is_continued`: workers of the program before still count there, so what they counted stays.
    """

    def __init__(self, directory: Path, *, is_continued: bool = False) -> None:
        self.directory = directory
        if not is_continued:
            shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry, path=str(directory))  # type: ignore[no-untyped-call]  # no types there
        self._workers = Gauge("gateway_workers", "Worker processes that are serving.", registry=self.registry)
        self._replaced = Counter(
            "gateway_workers_replaced", "Workers that died and were replaced.", registry=self.registry
        )
        self._store_restarts = Counter(
            "gateway_embedded_store_restarts", "Restarts of the embedded store after it died.", registry=self.registry
        )
        self._reloads = Counter(
            "gateway_configuration_reloads", "Changed configurations, by outcome.", ["outcome"], registry=self.registry
        )
        for outcome in ("applied", "refused"):
            self._reloads.labels(outcome)
        self._is_current = Gauge(
            "gateway_configuration_current",
            "1 while the configuration in force is the one in the file, 0 since a change was refused.",
            registry=self.registry,
        )
        self._is_current.set(1)
        self._certificate = Gauge(
            "gateway_certificate_expires_timestamp_seconds",
            "When the listener's certificate ends (unix time; 0: plain HTTP).",
            registry=self.registry,
        )
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None

    def listen(self, host: str, port: int) -> int:
        """Open the listener; returns the port (`port` 0 takes a free one). Raises OSError where it is taken."""
        self._server, self._thread = start_http_server(port, addr=host, registry=self.registry)
        return self._server.server_port

    def set_workers(self, serving: int) -> None:
        self._workers.set(serving)

    def forget_slot(self, slot: int) -> None:
        """Nobody works in this slot any more: its gauges end, its counters stay."""
        mark_process_dead(slot, str(self.directory))  # type: ignore[no-untyped-call]  # no types there

    def worker_replaced(self) -> None:
        self._replaced.inc()

    def configuration_reloaded(self, *, is_accepted: bool) -> None:
        """The configuration was read again, and taken over or refused."""
        self._reloads.labels("applied" if is_accepted else "refused").inc()
        self._is_current.set(1 if is_accepted else 0)

    def set_certificate_end(self, moment: int) -> None:
        """When the certificate in use ends (unix seconds)."""
        self._certificate.set(moment)

    def store_restarted(self) -> None:
        self._store_restarts.inc()

    def close(self) -> None:
        """Close the listener and remove the workers' files. May be called twice."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None
        shutil.rmtree(self.directory, ignore_errors=True)
