"""The options of `gateway serve`. What they mean is decided by serve.py; this only reads them."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.examples import shown
from gateway.cli.serve import ServeOptions, serve
from gateway.supervise.handover import VARIABLE
from gateway.supervise.rehearsal import OPTION

app = typer.Typer(
    pretty_exceptions_enable=False, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.command("serve", epilog=shown("serve"))
def start_gateway(
    config: Annotated[
        Path | None,
        typer.Option(help="A configuration file; else $GATEWAY_CONFIG, else ./config.yaml if there is one."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Answer from a simulator: no Cloudflare account needed.")
    ] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Listen here instead of `server.port`.")] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take the store that answers, also a new or empty one, for this gateway's.")
    ] = False,
    quickstart: Annotated[bool, typer.Option("--quickstart", hidden=True)] = False,
    rehearse: Annotated[bool, typer.Option(OPTION, hidden=True)] = False,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM."""
    environ = dict(os.environ)
    os.environ.pop(VARIABLE, None)  # for this process alone
    options = ServeOptions(
        environ,
        config,
        demo,
        port,
        quickstart,
        adopt,
        # A store is adopted once, not again whenever the program is replaced.
        command=(sys.executable, *(word for word in sys.orig_argv[1:] if word != "--adopt")),
        is_rehearsal=rehearse,
    )
    raise typer.Exit(serve(options))


def run(arguments: list[str]) -> int:
    """Run `gateway serve` with these arguments; its exit code."""
    try:
        app(arguments, prog_name="gateway serve")
    except SystemExit as end:  # how Click ends a command
        return end.code if isinstance(end.code, int) else 1
    return 0
