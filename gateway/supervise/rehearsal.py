"""Before a gateway replaces its program, the new one says what it would do: `gateway serve … --rehearse`.

The child reads the configuration, loads everything and has one worker get ready; the parent compares what it says with
what cannot change while clients are connected.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import msgspec

from gateway.config.settings import Settings
from gateway.supervise.errors import CannotStart
from gateway.supervise.listener import Address, bind, check_certificate
from gateway.supervise.trial import try_worker
from gateway.worker import WorkerSettings

OPTION = "--rehearse"
_PATIENCE_SECONDS = 60.0
_LAST_WORDS_SECONDS = 2.0


class Verdict(msgspec.Struct, frozen=True):
    """What a new program would run on. `ground` may not differ from the old one's; new addresses have to be free."""

    ground: tuple[str, bool, bool]  # data directory, demo, embedded store
    addresses: frozenset[tuple[str, int]]


def verdict_on(settings: Settings) -> Verdict:
    """What these settings mean for a restart."""
    ground = str(settings.data_dir), settings.is_demo, settings.store.url == "embedded"
    addresses = {(settings.server.host, settings.server.port)}
    if settings.metrics.listen:
        host, _, port = settings.metrics.listen.rpartition(":")
        addresses.add((host.strip("[]"), int(port)))
    return Verdict(ground, frozenset(addresses))


def rehearse(settings: Settings, app: str) -> int:
    """The child: try everything, say the verdict on stdout. Raises CannotStart where the program would not work."""
    signal.signal(signal.SIGTERM, _give_up)  # its worker goes with it, however stuck that is
    said = os.dup(1)
    os.dup2(2, 1)  # what a worker prints is no verdict
    check_certificate(settings.server)
    module, _, function = app.partition(":")
    try:
        getattr(import_module(module), function)(WorkerSettings(settings=settings, store_url="", admin_key=""))
        import_module("gateway.supervise.worker_process")
    except (ImportError, AttributeError, ValueError, OSError) as error:
        raise CannotStart(f"the new program does not work: {type(error).__name__}: {error}") from error
    try_worker(settings, app)
    with open(said, "wb") as verdict:
        verdict.write(msgspec.json.encode(verdict_on(settings)))
    return 0


def _give_up(*_: object) -> NoReturn:
    raise CannotStart("the trial was given up")


class Rehearsal:
    """The parent's side: one running child."""

    def __init__(self, command: Sequence[str]) -> None:
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [*command, OPTION],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )

    def outcome(self, running: Settings) -> str | None:
        """None while it runs; then why there can be no restart, or "" when there can."""
        if self._process.poll() is None:
            if time.monotonic() - self._began < _PATIENCE_SECONDS:
                return None
            self.stop()
            return f"the new program did not say within {_PATIENCE_SECONDS:g} s whether it works"
        said, complaint = self._end()
        if self._process.returncode != 0:
            return complaint.decode(errors="replace").strip() or "the new program cannot be started"
        try:
            verdict = msgspec.json.decode(said, type=Verdict)
        except msgspec.DecodeError:
            return "the new program cannot take over: it has not said what it runs on"
        before = verdict_on(running)
        if verdict.ground != before.ground:
            return "another `data_dir`, another kind of store and --demo need a stop and a start"
        try:
            for host, port in verdict.addresses - before.addresses:
                bind(Address(host, port)).close()
        except CannotStart as error:
            return str(error)
        return ""

    def stop(self) -> None:
        """Give it up."""
        self._end()

    def _end(self) -> tuple[bytes, bytes]:
        """What it said; told to end if it runs. A worker of its own may still have the pipes: nobody waits long."""
        self._process.terminate()
        with self._process as process:  # closes them
            try:
                return process.communicate(timeout=_LAST_WORDS_SECONDS)
            except subprocess.TimeoutExpired as late:
                process.kill()
                return late.output or b"", late.stderr or b""
