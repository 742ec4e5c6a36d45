"""`gateway backup` and `gateway restore`: the store's data as one file, and back. They open the store themselves, by
the configuration: no gateway has to run, and one may.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress as Bar

from gateway.backup import dump, restore
from gateway.backup.archive import Header, Writer, written_whole
from gateway.backup.place import demo_beside, describe_store, is_untouched, opened_store
from gateway.cli.configuration_file import AsJson, Config, choose_file, load_file
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import print_json, print_note, show_count, show_moment
from gateway.cli.session import Yes, confirm
from gateway.config.settings import Settings
from gateway.core.errors import StoreAway

T = TypeVar("T")
Demo = Annotated[bool, typer.Option("--demo", help="The data of `gateway serve --demo`.")]


def write_backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it appears when it is complete.")],
    config: Config = None,
    demo: Demo = False,
    as_json: AsJson = False,
) -> None:
    """Write projects, key hashes, limits, counters, rows and the audit into one file. Requests may go on."""
    settings = load_file(choose_file(config, os.environ), os.environ, demo=demo).settings
    if not file.absolute().parent.is_dir():
        raise CommandFailed(f"There is no directory {file.absolute().parent}.", ExitCode.USAGE)

    print_note(f"From {describe_store(settings)}.")

    async def work(progress: dump.Progress) -> tuple[Header, int, int]:
        if is_untouched(settings):
            raise dump.NothingToDump("the store holds no gateway's data")
        async with opened_store(settings) as (store, layout):
            header = await dump.begin(store, layout, demo=settings.is_demo)
            with written_whole(file) as raw:
                writer = Writer(raw, header)
                rows = await dump.dump(store, layout, writer, progress)
                writer.end()
            return header, writer.entries, rows

    header, entries, rows = _with_progress(work, settings)
    size = file.stat().st_size
    if as_json:
        print_json({"rows": rows, "entries": entries, "bytes": size, "instance": header.instance})
        return
    amounts = f"{show_count(rows, 'row')}, {_entries(entries)}, {show_count(size, 'byte')}"
    print_note(f"{file}: {amounts}; instance {header.instance}.")


def restore_backup(
    file: Annotated[Path, typer.Argument(help="A file that `gateway backup` wrote.")],
    config: Config = None,
    demo: Demo = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the data of a store in use.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Check a backup and bring it into the store; gateways that wait for their data go on without a restart."""
    settings = load_file(choose_file(config, os.environ), os.environ, demo=demo).settings
    try:
        header, entries = restore.examine(file)
    except restore.CannotRestore as error:
        raise CommandFailed(f"{error}.", ExitCode.REFUSED) from error
    print_note(f"{file}: made {show_moment(header.created)} UTC by gateway {header.gateway}, {_entries(entries)}.")
    print_note(f"Into {describe_store(settings)}.")
    _keep_apart(header, settings, yes=yes)

    async def look(_: dump.Progress) -> str | None:
        async with opened_store(settings) as (store, layout):
            return await restore.owner_of(store, layout)

    owner = _with_progress(look, settings)
    if owner is not None and not replace:
        raise CommandFailed(
            "The store is in use: it holds a gateway's data.", ExitCode.REFUSED,
            "`--replace` deletes that and puts the backup in its place.",
        )  # fmt: skip
    if owner is not None:
        confirm("Delete everything the gateway has in this store and put the backup in its place?", yes)

    async def work(progress: dump.Progress) -> restore.Restored:
        async with opened_store(settings) as (store, layout):
            return await restore.restore(store, layout, file, progress)

    done = _with_progress(work, settings)
    if as_json:
        print_json(done)
    print_note(f"Restored {_entries(done.entries)}; sums rebuilt from the rows: {done.repaired:,}.")
    if done.findings:
        text = f"The books do not agree in {show_count(done.findings, 'place')}."
        raise CommandFailed(text, ExitCode.REFUSED, "See `gateway verify`.")
    print_note("The books agree.")


def _keep_apart(header: Header, settings: Settings, *, yes: bool) -> None:
    """A demo's data and real data do not mix by mistake. Raises CommandFailed where that is not meant."""
    if header.demo is None or header.demo == settings.is_demo:
        return
    message = "The backup is a demo's, the store is not" if header.demo else "The store is a demo's, the backup is not"
    way = "add --demo" if header.demo else "leave --demo out"
    confirm(f"{message} (to its own kind: {way}). Restore it here all the same?", yes)


def _with_progress(work: Callable[[dump.Progress], Coroutine[Any, Any, T]], settings: Settings) -> T:  # Any: asyncio's
    """Run it with a line on a terminal that says how far it is; what goes wrong becomes one sentence."""
    with Bar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("the store", total=None)

        def progress(more: int, what: str) -> None:
            bar.update(task, advance=more, description=f"{what}: {bar.tasks[0].completed:,.0f}")

        try:
            return asyncio.run(work(progress))
        except dump.NothingToDump as error:
            demo = demo_beside(settings)
            advice = f"A demo's data is in {demo}: add --demo." if demo else ""
            raise CommandFailed(f"{error}.", ExitCode.REFUSED, advice) from error
        except (dump.CannotDump, restore.CannotRestore) as error:
            raise CommandFailed(f"{error}.", ExitCode.REFUSED) from error
        except StoreAway as error:
            where = "The embedded store" if settings.store.url == "embedded" else "The store"
            raise CommandFailed(f"{where} cannot be used: {error.message}", ExitCode.UNREACHABLE) from error
        except OSError as error:
            raise CommandFailed(f"The file cannot be written: {error.strerror or error}.", ExitCode.REFUSED) from error


def _entries(number: int) -> str:
    return show_count(number, "entry", "entries")
