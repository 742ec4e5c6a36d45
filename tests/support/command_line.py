"""The real command `gateway`, run in a directory and an environment of its own: as a subprocess, or in this process."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Protocol

from gateway.cli.commands import run

ROOT = Path(__file__).resolve().parents[2]

_ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

Result = subprocess.CompletedProcess[str]


class Command(Protocol):
    """Runs `gateway` with the given arguments; `answer` is its standard input, `environ` what is added to its own."""

    def __call__(self, *arguments: str, environ: Mapping[str, str] | None = None, answer: str = "") -> Result: ...


def run_gateway(directory: Path, arguments: tuple[str, ...], environ: Mapping[str, str], answer: str) -> Result:
    """Run it to its end. Python warnings are errors in it, too."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "gateway", *arguments],
        cwd=directory,
        env={**_ENVIRONMENT, **environ},
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_gateway_here(directory: Path, arguments: tuple[str, ...], environ: Mapping[str, str], answer: str) -> Result:
    """The same without the half second that a process takes to start: for what a command says and does."""
    kept = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(each, "utf-8", write_through=True) for each in kept)
    given = io.TextIOWrapper(io.BytesIO(answer.encode()), "utf-8")
    with (
        chdir(directory),
        _surroundings({**_ENVIRONMENT, **environ}, given),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        status = run(list(arguments))
    said, told = (each.getvalue().decode().replace("\r\n", "\n") for each in kept)
    return Result(["gateway", *arguments], int(status), said, told)


@contextmanager
def _surroundings(environ: Mapping[str, str], given: io.TextIOWrapper) -> Iterator[None]:
    """The environment and the standard input of a command."""
    before, terminal = dict(os.environ), sys.stdin
    os.environ.clear()
    os.environ.update(environ)
    sys.stdin = given
    try:
        yield
    finally:
        sys.stdin = terminal
        os.environ.clear()
        os.environ.update(before)
