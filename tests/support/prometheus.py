"""A real Prometheus, from Debian's package, that scrapes one gateway every second."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml
from support.needs import need
from support.running import ROOT, free_port, wait_until

MONITORING = ROOT / "deploy" / "prometheus"


def promtool(*arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool beside the shipped rules."""
    program = need(shutil.which("promtool"), "promtool (apt install prometheus)")
    return subprocess.run([program, *arguments], input=given, cwd=MONITORING, capture_output=True, text=True)


class Prometheus:
    """A server to ask."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def get(self, path: str, **parameters: str) -> Any:  # JSON
        """The data of an answer of its API."""
        answer = httpx2.get(f"{self.origin}/api/v1/{path}", params=parameters, trust_env=False, timeout=30).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """The series of an instant query."""
        found: list[Any] = self.get("query", query=expression)["result"]
        return found

    def wait_for(self, expression: str) -> None:
        """Until the query has an answer."""
        wait_until(lambda: bool(self.query(expression)), expression)


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Scrapes `target` (`host:port`) with the shipped configuration and rules, only faster."""
    program = need(shutil.which("prometheus"), "prometheus (apt install prometheus)")
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    configuration["rule_files"] = [str(MONITORING / name) for name in configuration["rule_files"]]
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    port = free_port()
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            found = Prometheus(f"http://127.0.0.1:{port}")
            deadline = time.monotonic() + 30
            while not _is_ready(found):
                assert process.poll() is None, "prometheus ended"
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield found
        finally:
            process.terminate()


def _is_ready(server: Prometheus) -> bool:
    try:
        return httpx2.get(f"{server.origin}/-/ready", trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False
