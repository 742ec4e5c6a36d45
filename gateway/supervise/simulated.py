"""The demo's simulator: a child process on a free loopback port, with an account and a token made up for this run."""

import contextlib
import os
import pickle
import secrets
import signal
import subprocess
from typing import Self

from gateway.supervise.errors import CannotStart
from gateway.supervise.handover import LeftSimulator
from gateway.supervise.order import python_command, python_environment

_PACE_SECONDS = 0.03  # between two tokens of a stream: about as fast as a person reads


class SimulatorProcess:
    """Started by the parent, ended with it: the process leaves when its standard input closes."""

    def __init__(self, *, pace_seconds: float = _PACE_SECONDS) -> None:
        self.account_id = secrets.token_hex(16)
        self.api_token = secrets.token_urlsafe(30)
        self._pace_seconds = pace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._left: LeftSimulator | None = None
        self._base_url = ""

    @classmethod
    def taken_over(cls, left: LeftSimulator) -> Self:
        """The one the program before this one started; it goes on answering."""
        found = cls()
        found.account_id, found.api_token, found._base_url = left.account_id, left.api_token, left.base_url
        found._left = left
        return found

    def left(self) -> LeftSimulator:
        """It, for the program that comes after this one."""
        if self._left is not None:
            return self._left
        if self._process is None or self._process.stdin is None:
            raise AssertionError("it was not started")
        return LeftSimulator(
            self._process.pid, self._process.stdin.fileno(), self._base_url, self.account_id, self.api_token
        )

    def start(self) -> None:
        """Start it; `base_url` waits for it, so that other things can start meanwhile."""
        self._process = process = subprocess.Popen(
            python_command("gateway.supervise.simulator_process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=python_environment(),
            process_group=0,
        )
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both pipes were asked for")
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(pickle.dumps((self.account_id, self.api_token, self._pace_seconds)))
            process.stdin.flush()

    def base_url(self) -> str:
        """Its base URL, as soon as it serves. Raises CannotStart."""
        if self._base_url:
            return self._base_url
        if self._process is None or self._process.stdout is None:
            raise AssertionError("it was not started")
        base_url = self._process.stdout.readline().decode().strip()
        if not base_url:
            raise CannotStart("the simulator did not start; its own lines above say why")
        self._base_url = base_url
        return base_url

    @property
    def pid(self) -> int:
        """Its process id, 0 before the start."""
        if self._left is not None:
            return self._left.pid
        return self._process.pid if self._process is not None else 0

    def stop(self) -> None:
        """End it. May be called twice."""
        left, self._left = self._left, None
        if left is not None:
            os.kill(left.pid, signal.SIGTERM)
            os.close(left.stdin)
            os.waitpid(left.pid, 0)
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
