"""`gateway restart`: the gateway of a data directory on this machine replaces its own program, and nobody notices.

It sends the signal and waits for what the gateway says came of it.
"""

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import print_json, print_note
from gateway.cli.place import Hints
from gateway.cli.progress import waiting
from gateway.cli.session import AsJson
from gateway.supervise.data_directory import owner_of
from gateway.supervise.restart import read_record

_LOOK_SECONDS = 0.05


class Restarted(msgspec.Struct):
    """What `--json` prints."""

    pid: int
    restarts: int


def restart_gateway(
    context: typer.Context,
    seconds: Annotated[float, typer.Option("--wait", help="How long the new workers may take to get ready.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Restart the gateway on this machine without refusing or cutting a single request."""
    hints: Hints = context.obj
    directory = hints.running_directory()
    pid = owner_of(directory)
    if not pid:
        raise CommandFailed(
            f"No gateway runs on the data directory {directory.resolve()}.",
            ExitCode.UNREACHABLE,
            "Start it with `gateway serve`, or name its data directory: gateway --data-dir DIR restart",
        )
    before = read_record(directory)
    try:
        os.kill(pid, signal.SIGUSR2)
    except PermissionError as error:
        raise CommandFailed(
            f"The gateway (pid {pid}) belongs to another user.",
            ExitCode.NOT_ADMITTED,
            "Run this as that user, or as root.",
        ) from error
    deadline = time.monotonic() + seconds
    with waiting("the new program starts beside the old one"):
        while (record := read_record(directory)).asked == before.asked:
            _check(directory, deadline)
            time.sleep(_LOOK_SECONDS)
    if record.refusal:
        raise CommandFailed(
            f"The gateway goes on with its running program: {record.refusal}",
            ExitCode.REFUSED,
            "Put that right and restart again; nothing was interrupted.",
        )
    if as_json:
        print_json(Restarted(pid, record.restarts))
    else:
        print_note("Restarted. The workers before finish what they have begun, and leave.")


def _check(directory: Path, deadline: float) -> None:
    """Raises CommandFailed where there is nothing more to wait for."""
    if owner_of(directory) is None:
        raise CommandFailed(
            "The gateway has ended: its new program could not start.", ExitCode.REFUSED, "Its own log says why."
        )
    if time.monotonic() > deadline:
        raise CommandFailed(
            "The restart is not over yet.", ExitCode.REFUSED, "The gateway's own log says what it waits for."
        )
