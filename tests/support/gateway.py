"""The real product, started as a user would: `gateway serve` in a process of its own, against a real simulator."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from gateway.simulator import Simulator, SimulatorOptions, running

START_SECONDS = 60.0
ADMIN_KEY = "sk-admin-only-for-tests"


@contextmanager
def simulator(options: SimulatorOptions | None = None) -> Iterator[Simulator]:
    """A simulator in a thread, so that synchronous tests can talk to it."""
    started: list[Simulator] = []
    is_up, is_over = threading.Event(), threading.Event()

    async def run() -> None:
        async with running(options) as upstream:
            started.append(upstream)
            is_up.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert is_up.wait(START_SECONDS)
        yield started[0]
    finally:
        is_over.set()
        thread.join()


class GatewayProcess:
    """`gateway serve` with its data in `folder`. Start it, kill it, start it again."""

    def __init__(
        self,
        folder: Path,
        upstream: Simulator,
        store_url: str = "embedded",
        extra: str = "",
        server: str = "",
        metrics: str = "",
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.store_url = store_url
        self.process: subprocess.Popen[bytes] | None = None
        self.config = folder / "config.yaml"
        self.config.write_text(
            f"""\
server: {{port: 0, {server}}}
metrics: {{listen: "{metrics}"}}
data_dir: data
admin_key: {ADMIN_KEY}
store: {{url: "{store_url}"}}
upstream:
  base_url: {upstream.base_url}
  account_id: {upstream.account_id}
  api_token: {upstream.api_token}
{extra}
""",
            encoding="utf-8",
        )
        self.log = folder / "log"
        self.key = ""

    def start(self) -> None:
        """Start and wait until it is ready; the first time, make a project and a key."""
        address = self.data / "url"
        address.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={key: value for key, value in os.environ.items() if not key.startswith("CLOUDFLARE_")},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready(address):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self.log.read_text())
            time.sleep(0.02)
        if not self.key:
            _, self.key = self.make_key("tests")

    def _is_ready(self, address: Path) -> bool:
        if not address.exists():
            return False
        self.origin = address.read_text().strip()
        try:
            return httpx2.get(f"{self.origin}/readyz", trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def admin(self, method: str, path: str, **arguments: Any) -> Any:
        """One call of the admin API; its decoded answer."""
        answer = httpx2.request(
            method,
            f"{self.base_url}/organization{path}",
            headers={"authorization": f"Bearer {ADMIN_KEY}"},
            trust_env=False,
            timeout=30,
            **arguments,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make_key(self, name: str, limit_cents: int | None = None) -> tuple[str, str]:
        """A project with a key, and a monthly spend limit if one is given: project id, secret."""
        project = self.admin("POST", "/projects", json={"name": name})["id"]
        made = self.admin("POST", f"/projects/{project}/service_accounts", json={"name": name})
        if limit_cents is not None:
            self.admin(
                "POST",
                f"/projects/{project}/spend_limit",
                json={"threshold_amount": limit_cents, "currency": "USD", "interval": "month"},
            )
        return project, made["api_key"]["value"]

    def chat(self, body: dict[str, Any] | str | bytes, key: str | None = None, **arguments: Any) -> httpx2.Response:
        """One chat completion, as raw HTTP."""
        content = {"json": body} if isinstance(body, dict) else {"content": body}
        return httpx2.post(
            f"{self.base_url}/chat/completions",
            headers={"authorization": f"Bearer {self.key if key is None else key}", **arguments.pop("headers", {})},
            trust_env=False,
            timeout=30,
            **content,
            **arguments,
        )

    def row(self, request_id: str, *, seconds: float = 60.0) -> dict[str, Any]:
        """The ledger's row of a request, which the store gets a moment after the client's last byte."""
        deadline = time.monotonic() + seconds
        while True:
            answer = httpx2.get(
                f"{self.base_url}/organization/ledger/{request_id}",
                headers={"authorization": f"Bearer {ADMIN_KEY}"},
                trust_env=False,
            )
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            assert answer.status_code == 404, answer.text
            assert time.monotonic() < deadline, f"no row for {request_id}\n{self.log.read_text()}"
            time.sleep(0.02)

    def rows(self, **filters: Any) -> list[dict[str, Any]]:
        """All rows, newest first, over all pages."""
        found: list[dict[str, Any]] = []
        page = None
        while True:
            parameters = {"limit": 100, **filters, **({"page": page} if page else {})}
            answer = self.admin("GET", "/ledger", params=parameters)
            found += answer["data"]
            page = answer["next_page"]
            if not answer["has_more"]:
                return found

    def pids(self) -> list[int]:
        """The parent and everything below it: workers, and the embedded store."""
        assert self.process is not None
        found = [self.process.pid]
        for pid in found:
            found += _children(pid)
        return found

    def workers(self) -> list[int]:
        """The worker processes."""
        return [pid for pid in self.pids() if b"worker_process" in _command(pid)]

    def kill(self) -> None:
        """SIGKILL for all of it at once."""
        assert self.process is not None
        kill_all(self.pids())
        self.process.wait()
        self.process = None

    def stop(self) -> int:
        """SIGTERM, and the exit status. May be called when it is not running."""
        if self.process is None:
            return 0
        self.process.terminate()
        status = self.process.wait(60)
        self.process = None
        return status


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def kill_all(pids: list[int]) -> None:
    """SIGKILL for each; a worker may have left already because its parent is gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def gateway(
    folder: Path,
    upstream: Simulator,
    store_url: str = "embedded",
    extra: str = "",
    server: str = "",
    metrics: str = "",
) -> Iterator[GatewayProcess]:
    """A running gateway, stopped at the end."""
    process = GatewayProcess(folder, upstream, store_url, extra, server, metrics)
    try:
        process.start()
        yield process
    finally:
        process.stop()


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found
