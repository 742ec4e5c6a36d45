"""The real command `gateway`, run as a subprocess in a directory and an environment of its own."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[2]

Result = subprocess.CompletedProcess[str]


class Command(Protocol):
    """Runs `gateway` with the given arguments; `answer` is its standard input, `environ` what is added to its own."""

    def __call__(self, *arguments: str, environ: Mapping[str, str] | None = None, answer: str = "") -> Result: ...


def run_gateway(directory: Path, arguments: tuple[str, ...], environ: Mapping[str, str], answer: str) -> Result:
    """Run it to its end. Python warnings are errors in it, too."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "gateway", *arguments],
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **environ},
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
