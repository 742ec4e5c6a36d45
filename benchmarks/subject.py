"""The gateway as it is measured: everything on, one external store, one project with a budget and one key."""

import contextlib
import json
import os
import shutil
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import free_port, is_alive, running, wait_for_port
from benchmarks.upstream import ACCOUNT, Upstream

_ADMIN_KEY = "sk-admin-benchmark"
_PATIENCE_SECONDS = 30.0


@dataclass(slots=True, frozen=True)
class Target:
    """Something that speaks OpenAI. `cold_start` is seconds from its start to its first answer, where it was seen."""

    name: str
    pid: int
    port: int
    key: str
    model: str
    path: str = "/v1/chat/completions"
    cold_start: float = 0.0
    proof: str = '"choices"'  # what every answer contains


def store_binary() -> str:
    """A Valkey or Redis server. Raises FileNotFoundError where there is none."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    raise FileNotFoundError("the benchmark needs valkey-server or redis-server on PATH")


@contextlib.contextmanager
def store(folder: Path) -> Iterator[str]:
    """An empty store with the append-only file on, as in production; its URL."""
    folder.mkdir()
    port = free_port()
    log = folder / "output.log"
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "yes"]
    with running([store_binary(), *options, "--maxmemory-policy", "noeviction"], log=log) as pid:
        wait_for_port(port, pid, log)
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def gateway(folder: Path, upstream: Upstream, store_url: str, workers: int = 1) -> Iterator[Target]:
    """The gateway in front of the fake, with a key that may spend."""
    folder.mkdir()
    port = free_port()
    configuration = {
        "server": {"host": "127.0.0.1", "port": port, "workers": workers},
        "upstream": {"base_url": upstream.base_url, "account_id": ACCOUNT, "api_token": "benchmark"},
        "store": {"url": store_url},
        "data_dir": str(folder / "data"),
        "admin_key": _ADMIN_KEY,
        "metrics": {"listen": f"127.0.0.1:{free_port()}"},
    }
    file = folder / "config.yaml"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    log = folder / "output.log"
    started = time.monotonic()
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(file)]
    with running(command, log=log, environ=_environ()) as pid:
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", pid, log)
        cold_start = time.monotonic() - started
        key = _issue_key(f"http://127.0.0.1:{port}/v1/organization")
        model = "@cf/meta/llama-3.1-8b-instruct-fp8"
        yield Target("gateway", pid, port, key, model, cold_start=cold_start)


def wait_until_ready(url: str, pid: int, log: Path) -> None:
    """Return when `url` answers 200. Raises RuntimeError with the log's end where it never does."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end and is_alive(pid):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.01)
    raise RuntimeError(f"{url} never answered 200:\n{log.read_text(errors='replace')[-2000:]}")


def _environ() -> dict[str, str]:
    """What a process needs to run, and nothing that would change what it does."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def _issue_key(url: str) -> str:
    project = _post(f"{url}/projects", {"name": "benchmark"})["id"]
    budget = {"threshold_amount": 100_000_000, "currency": "USD", "interval": "month"}
    _post(f"{url}/spend_limit", budget)
    _post(f"{url}/projects/{project}/spend_limit", budget)
    account = _post(f"{url}/projects/{project}/service_accounts", {"name": "wrk"})
    key: str = account["api_key"]["value"]
    return key


def _post(url: str, body: dict[str, object]) -> dict:  # type: ignore[type-arg]  # decoded JSON of the admin API
    headers = {"authorization": f"Bearer {_ADMIN_KEY}", "content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)  # type: ignore[no-any-return]  # as above
