"""`gateway spool`: what waits in spool directories on this machine, and handing one from elsewhere to the gateway.

Looking changes nothing and takes no lock that anybody would miss. Handing over is copying: whichever worker runs next
on the data directory adopts the copy, and the store knows by name and number what it has of it already.
"""

import shutil
import uuid
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table
from gateway.cli.session import AsJson
from gateway.ledger.spool_report import SpoolReport, describe_spools, is_spool

app = typer.Typer(no_args_is_help=True, help="Receipts on this machine's disk that the store has not confirmed.")

_COLUMNS = (
    Column("SPOOL"),
    Column("OWNER"),
    Column("ENTRIES", is_number=True),
    Column("CONFIRMED", is_number=True),
    Column("WAITING", is_number=True),
)


@app.command("status")
def show_status(
    directory: Annotated[Path, typer.Argument(help="A data directory, its `spool`, or one spool.")] = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Show the spools below a directory."""
    reports = describe_spools(_root(directory))
    if as_json:
        print_json(reports)
        return
    print_table(_COLUMNS, [_cells(report) for report in reports])
    waiting = sum(report.waiting for report in reports)
    print_note(f"Receipts that wait for the store: {waiting:,}." if waiting else "Nothing waits.")


@app.command("replay")
def replay(
    directory: Annotated[Path, typer.Argument(help="A spool directory, for example from a machine that is gone.")],
    data_dir: Annotated[Path, typer.Option("--into", help="The running gateway's data directory.")] = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Hand a spool to the gateway of this machine, which brings it to the store. May be repeated."""
    if not is_spool(directory):
        raise CommandFailed(f"{directory} is no spool: it has no entries.", ExitCode.USAGE)
    (report,) = describe_spools(directory)
    if report.is_owned:
        raise CommandFailed(f"{directory} belongs to a running worker, which replays it itself.", ExitCode.REFUSED)
    root = data_dir / "spool"
    if not root.is_dir():
        raise CommandFailed(f"{data_dir} is no gateway's data directory: it has no spool.", ExitCode.USAGE)
    goal = root / directory.resolve().name
    if goal.exists():
        raise CommandFailed(f"{goal} is there already and will be adopted.", ExitCode.REFUSED)
    hidden = root / f".{uuid.uuid4().hex}"  # nobody adopts it half copied
    shutil.copytree(directory, hidden)
    (hidden / "confirmed").unlink(missing_ok=True)  # what this store has, the store itself says
    hidden.rename(goal)
    if as_json:
        print_json(report)
    else:
        print_note(f"Entries handed over: {report.entries}; a worker adopts them within 10 seconds.")


def _root(directory: Path) -> Path:
    root = directory / "spool" if (directory / "spool").is_dir() else directory
    if not root.is_dir():
        raise CommandFailed(f"There is no directory {directory}.", ExitCode.USAGE)
    return root


def _cells(report: SpoolReport) -> tuple[str, ...]:
    owner = "running" if report.is_owned else "nobody"
    return report.name, owner, str(report.entries), str(report.confirmed), str(report.waiting)
