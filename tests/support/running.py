"""Processes under test: started, waited for, and never left behind."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0  # reached only by a failure, however busy the machine is


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something another process does. Fails when it does not happen."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process lives; one that only waits to be buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TinyGateway:
    """A parent process around `support.tiny_app`. `started` is its line of JSON."""

    def __init__(self, data_dir: Path, **given: Any) -> None:  # what tiny_app.main takes
        self.data_dir = data_dir
        self._given = {"data_dir": str(data_dir), **given}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.tiny_app", json.dumps(self._given)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
            text=True,
        )
        if self.process.stdout is None:
            raise AssertionError("stdout was asked for")
        line = self.process.stdout.readline()
        self.started = json.loads(line) if line else {}
        self.port = self.started.get("port", 0)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def errors(self) -> str:
        """What it wrote to stderr, once it has ended."""
        return self.process.communicate(timeout=PATIENCE_SECONDS)[1]

    def get(self, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> Any:  # JSON
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", path, headers=dict(headers))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    @contextmanager
    def open_stream(self) -> Iterator[http.client.HTTPResponse]:
        """A response that stays open; its first line has arrived."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)) as connection:
            connection.request("GET", "/stream")
            with connection.getresponse() as response:
                if response.readline() != b"first\n":
                    raise AssertionError("the stream did not begin")
                yield response


def clean_environment(**added: str) -> dict[str, str]:
    """This process's environment without what would steer a gateway, and with our package first."""
    steering = ("CLOUDFLARE_", "GATEWAY_", "PROMETHEUS_", "SSL_CERT", "PYTHON")
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(steering) and name.lower() not in proxies
    }
    return {**kept, "PYTHONPATH": str(ROOT), **added}


class ServedGateway:
    """A whole `gateway serve` in a directory of its own; `output` is what it printed until it was ready."""

    def __init__(self, folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._arguments = arguments
        self._environ = environ or {}
        self.output = ""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", *self._arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(**self._environ),
            text=True,
        )
        if self.process.stdout is None:
            raise AssertionError("stdout was asked for")
        for line in self.process.stdout:
            self.output += line
            if line.startswith("Ctrl-C"):
                break
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    @property
    def base_url(self) -> str:
        """As printed, `/v1` included."""
        return next(line.split()[2] for line in self.output.splitlines() if line.startswith("  Base URL"))

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal and wait for the end: exit status and stderr."""
        self.process.send_signal(number)
        return self.failure()

    def failure(self) -> tuple[int, str]:
        """Exit status and stderr of a gateway that ends by itself."""
        _, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, errors
