"""`make run` on a terminal: what it prints, whether the lines work as pasted, Ctrl-C, the same key the next time."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from support.needs import need
from support.running import ROOT, clean_environment, free_port

from gateway.store.embedded import EmbeddedStore


class Terminal:
    """`make run` on a terminal of its own; `screen` is what stands there when it is ready."""

    def __init__(self, *arguments: str) -> None:
        self._command = [need(shutil.which("make"), "make"), "run", *arguments]
        self.screen = ""

    def __enter__(self) -> Self:
        pid, self._screen = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.execve(self._command[0], self._command, clean_environment())
        self._pid = pid
        self._read_until("Ctrl-C stops it")
        return self

    def __exit__(self, *_: object) -> None:
        if self._pid:
            self.press_ctrl_c()
        os.close(self._screen)

    def press_ctrl_c(self) -> None:
        """Press it and wait for the end."""
        os.write(self._screen, b"\x03")
        self._read_until("Stopped.")
        os.waitpid(self._pid, 0)
        self._pid = 0

    def line(self, start: str) -> str:
        return next(line for line in self.screen.splitlines() if line.startswith(start))

    def _read_until(self, words: str) -> None:
        deadline = time.monotonic() + 300
        while words not in self.screen.rpartition("\x00")[2]:
            if time.monotonic() > deadline:
                raise AssertionError(f"never on the screen: {words}\n{self.screen}")
            if select.select([self._screen], [], [], 1.0)[0]:
                try:
                    self.screen += os.read(self._screen, 65536).decode().replace("\r\n", "\n")
                except OSError as error:  # the terminal is closed
                    raise AssertionError(f"it ended: {self.screen}") from error


@pytest.fixture
def arguments() -> Iterator[tuple[str, ...]]:
    need((ROOT / ".venv" / ".ready-run").exists(), "the environment `make test` prepares")
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    (folder / "config.yaml").write_text("metrics: {listen: ''}\n")
    yield (f"CONFIG={folder}/config.yaml", f"PORT={free_port()}")
    EmbeddedStore(folder / "data" / "demo" / "store").stop()
    shutil.rmtree(folder)


def test_printed_lines_work_as_pasted_and_the_key_stays(arguments: tuple[str, ...]) -> None:
    with Terminal(*arguments) as terminal:
        data = Path(terminal.line("  Data").split(maxsplit=1)[1])
        assert data.is_absolute()
        key = (data / "first-key").read_text().strip()
        assert re.fullmatch(rf"export OPENAI_BASE_URL=http://\S+/v1 OPENAI_API_KEY={key}", terminal.line("export"))
        first = terminal.screen.index("from openai import OpenAI")
        snippet = "\n".join(terminal.screen[first:].splitlines()[:5])
        answer = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, check=True)
        assert answer.stdout.strip()
        curl = subprocess.run(["/bin/sh", "-c", terminal.line("curl ")], capture_output=True, text=True, check=True)
        assert json.loads(curl.stdout)["choices"]
        assert (data / "admin-key").read_text().strip() not in terminal.screen
        terminal.press_ctrl_c()
        assert "Traceback" not in terminal.screen
    with Terminal(*arguments) as terminal:
        assert terminal.line("export").endswith(f"OPENAI_API_KEY={key}")
        usage = [sys.executable, "-m", "gateway", "usage", "--format", "json"]
        told = subprocess.run(
            usage, env=clean_environment(GATEWAY_DATA_DIR=str(data)), capture_output=True, text=True, check=True
        )
        assert json.loads(told.stdout)
