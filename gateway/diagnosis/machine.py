"""What a gateway needs of the machine it runs on: its data directory, ports, open files, libraries.

Looks and leaves everything as it was. Whether a gateway runs on the data directory is told by the lock it holds.
"""

import contextlib
import fcntl
import resource
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.config.settings import MetricsSettings, Settings
from gateway.diagnosis.finding import Finding, Verdict
from gateway.supervise.data_directory import owner_of
from gateway.supervise.endpoint import Endpoint, pinned_certificate
from gateway.supervise.errors import CannotStart
from gateway.supervise.listener import Address, bind
from gateway.tokenizer import load_tokenizer

_LITTLE_DISK: Final = 1 << 30
_NO_DISK: Final = 64 << 20  # a segment of every worker's spool, and the store's own rewriting
_FEW_FILES: Final = 4096  # two per request
_TOO_FEW_FILES: Final = 256
_SECONDS: Final = 5.0
_SHORT_SECONDS: Final = 1.0
_ENOUGH_BYTES: Final = 4 << 20


@dataclass(slots=True, frozen=True)
class Running:
    """The gateway that holds a data directory. `url` is empty while it is starting."""

    pid: str
    url: str
    certificate: str = field(default="", repr=False)


def running_gateway(data_dir: Path) -> Running | None:
    """Who runs on this directory now."""
    pid = owner_of(data_dir)
    if pid is None:
        return None
    url = ""
    with contextlib.suppress(OSError):
        url = (data_dir / "url").read_text(encoding="ascii").strip()
    return Running(str(pid or "unknown"), url, pinned_certificate(data_dir))


def demo_running(data_dir: Path) -> Path | None:
    """Where a demo runs beside this data directory, None where none does."""
    demo = data_dir / "demo"
    return demo if running_gateway(demo) is not None else None


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """All findings, in the order in which a start would meet them."""
    running = running_gateway(settings.data_dir)
    yield from _data_directory(settings.data_dir, running)
    yield from _ports(settings, running)
    yield _open_files()
    yield _tokenizer(settings.tokenizer_path)
    yield _client(settings)
    if running is not None:
        yield _readiness(running)


def _data_directory(folder: Path, running: Running | None) -> Iterator[Finding]:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as trial:
            fcntl.flock(trial, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        fix = "Give this user the directory, or set `data_dir` to one on a local disk."
        yield Finding("data_dir", "problem", f"{place} cannot be written or locked: {error.strerror}", fix)
        return
    free = shutil.disk_usage(place).free
    message = f"{folder}: {free / 2**30:.1f} GiB free"
    if free < _LITTLE_DISK:
        fix = "Make room: without it no request is admitted, since its receipt could not be written."
        yield Finding("data_dir", "problem" if free < _NO_DISK else "warning", message, fix)
    elif folder.exists() and folder.stat().st_mode & 0o077:
        yield Finding("data_dir", "warning", f"{folder} is open to other users", f"chmod 700 {folder}")
    else:
        yield Finding("data_dir", "ok", message)
    spool = folder / "spool"
    waiting = len([each for each in spool.iterdir() if each.is_dir()]) if spool.is_dir() else 0
    if waiting and running is None:
        message = f"{waiting} spools of a gateway that ended in a hurry: the next start settles what is in them"
        yield Finding("spool", "warning", message, "Start the gateway on this data_dir; do not delete the directory.")
    else:
        yield Finding("spool", "ok", f"{spool}: {waiting} in use" if running else "nothing is left over")


def _ports(settings: Settings, running: Running | None) -> Iterator[Finding]:
    host, port = settings.server.host, settings.server.port
    if running is not None:
        yield Finding("port", "ok", f"a gateway (pid {running.pid}) runs on this data_dir: {running.url or 'starting'}")
        return
    yield _port("port", host, port, is_chosen=True, data_dir=settings.data_dir)
    if settings.metrics.listen:
        listen_host, _, listen_port = settings.metrics.listen.rpartition(":")
        is_chosen = settings.metrics.listen != MetricsSettings().listen
        yield _port(
            "metrics port", listen_host.strip("[]"), int(listen_port), is_chosen=is_chosen, data_dir=settings.data_dir
        )
    else:
        yield Finding("metrics port", "ok", "metrics are switched off")


def _port(check: str, host: str, port: int, *, is_chosen: bool, data_dir: Path) -> Finding:
    try:
        bind(Address(host, port)).close()
    except CannotStart as error:
        key = "server.port" if check == "port" else "metrics.listen"
        if _is_a_gateway(host, port, "/metrics" if check == "metrics port" else "/readyz"):
            demo = demo_running(data_dir)
            whose = f"the demo in {demo}" if demo else "another gateway on this machine"
            fix = f"Stop that one before this one starts, or change `{key}`."
            verdict: Verdict = "warning" if demo or not is_chosen else "problem"
            return Finding(check, verdict, f"{host}:{port} belongs to {whose}", fix)
        fix = f"Stop what listens there (`ss -ltnp` shows it), or change `{key}`."
        return Finding(check, "problem" if is_chosen else "warning", str(error).partition(". ")[0], fix)
    return Finding(check, "ok", f"{host}:{port or 'any free one'} is free")


def _is_a_gateway(host: str, port: int, path: str) -> bool:
    """Whether what listens there is this product: it answers as one."""
    connection = Endpoint(host, port).connect(_SHORT_SECONDS)
    try:
        connection.request("GET", path)
        told = connection.getresponse().read(_ENOUGH_BYTES)
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return b"gateway_workers" in told or told.startswith((b'{"status":"ready"', b'{"status":"not ready"'))


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    message = f"up to {'unlimited' if hard == resource.RLIM_INFINITY else hard} open files (now {soft}), two a request"
    if hard != resource.RLIM_INFINITY and hard < _FEW_FILES:
        fix = "Raise the hard limit: `LimitNOFILE=` in systemd, `ulimits` in compose, `ulimit -Hn` in a shell."
        return Finding("open files", "problem" if hard < _TOO_FEW_FILES else "warning", message, fix)
    return Finding("open files", "ok", message)


def _tokenizer(file: Path | None) -> Finding:
    try:
        tokenizer = load_tokenizer(file)
    except (OSError, ValueError) as error:
        return Finding("tokenizer", "problem", f"the vocabulary cannot be read: {error}", "Correct `tokenizer.path`.")
    if tokenizer.is_exact:
        return Finding("tokenizer", "ok", f"prompts are counted exactly ({tokenizer.name})")
    fix = "pip install tiktoken && pip install --no-deps llama-models, or set `tokenizer.path`."
    return Finding("tokenizer", "warning", "prompts are estimated, with a margin, instead of counted", fix)


def _client(settings: Settings) -> Finding:
    if settings.upstream.client == "httpx2" or find_spec("pyreqwest") is not None:
        return Finding("upstream client", "ok", settings.upstream.client)
    message = "pyreqwest is not installed: each upstream call costs ten times the processor time"
    return Finding("upstream client", "warning", message, "pip install pyreqwest")


def _readiness(running: Running) -> Finding:
    """What the running gateway says about itself."""
    address = urlsplit(running.url)
    if not address.hostname:
        return Finding("running gateway", "warning", "it has not finished starting", "Try again in a few seconds.")
    connection = Endpoint(address.hostname, address.port or 80, running.certificate).connect(_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        told = answer.read()
    except OSError as error:
        fix = "Look at its log; if it hangs, stop it and start again."
        return Finding("running gateway", "problem", f"{running.url} does not answer: {error}", fix)
    finally:
        connection.close()
    if answer.status == 200:
        return Finding("running gateway", "ok", f"{running.url} is ready")
    return Finding("running gateway", "problem", f"not ready: {_problems(told)}", "Its log has the details.")


def _problems(told: bytes) -> str:
    with contextlib.suppress(msgspec.DecodeError):
        problems = msgspec.json.decode(told, type=dict[str, object]).get("problems")
        if isinstance(problems, list):
            return "; ".join(map(str, problems))
    return "it does not say why"
