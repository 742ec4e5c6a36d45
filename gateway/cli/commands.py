"""The whole command line: every command in one tree, and the root options they share. It does nothing itself.

The module of a command is loaded when the command is asked for: with all of them, each call would pay for the libraries
of the others, half a second of it.
"""

import os
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway import __version__
from gateway.cli.examples import add_examples
from gateway.cli.failure import CommandFailed
from gateway.cli.main import OWN_MODULE, run_module
from gateway.cli.output import print_failure, print_json
from gateway.cli.place import Hints

# In the order of the help: a command, the module below gateway.cli that knows it, and its function or tree there.
_COMMANDS: Final = {
    "projects": ("projects", "app"),
    "service-accounts": ("service_accounts", "app"),
    "keys": ("keys", "app"),
    "limits": ("limits", "app"),
    "alerts": ("alerts", "app"),
    "admin-keys": ("admin_keys", "app"),
    "ledger": ("ledger", "app"),
    "config": ("configuration", "app"),
    "usage": ("usage", "report_usage"),
    "export": ("export", "export_rows"),
    "reconcile": ("reconcile", "reconcile_day"),
    "spool": ("spool", "app"),
    "apply": ("apply", "apply_teams"),
    "audit": ("audit", "list_acts"),
    "backup": ("backup", "write_backup"),
    "restore": ("backup", "restore_backup"),
    "verify": ("verify", "verify_books"),
    "models": ("configuration", "list_models"),
    "explain": ("explain", "explain_file"),
    "check": ("configuration", "check_file"),
    "restart": ("restart", "restart_gateway"),
    "doctor": ("doctor", "examine_here"),
    "probe": ("probe", "probe_upstream"),
}
_OF_NO_MODULE: Final = ("version", "--version")

# Here they are only listed, and found behind root options: what they take is known to the modules they come with.
_FORWARDING: Final = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def make_tree(names: Iterable[str] = tuple(_COMMANDS)) -> typer.Typer:
    """The root with these commands, and with those that have no module among the others."""
    tree = typer.Typer(
        name="gateway",
        no_args_is_help=True,
        help="An OpenAI-compatible gateway to Llama 8B models on Cloudflare Workers AI.",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,  # a traceback with local values could show a key
    )
    tree.callback()(set_hints)
    for name in names:
        module, attribute = _COMMANDS[name]
        command = getattr(import_module(f"gateway.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            tree.add_typer(command, name=name)
        else:
            tree.command(name)(command)
    for name, forward in (("serve", forward_serve), ("simulate", forward_simulate)):
        tree.command(name, context_settings=_FORWARDING, add_help_option=False)(forward)
    tree.command("version")(show_version)
    add_examples(tree)
    return tree


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(__version__)
        raise typer.Exit


def set_hints(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(help="Base URL of the gateway; else $GATEWAY_URL, else the one running here.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Its data directory, for the admin key; else $GATEWAY_DATA_DIR, ./data.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Keep what leads to the running gateway for the command that follows."""
    context.obj = Hints(url, data_dir, dict(os.environ))


def forward_serve(context: typer.Context) -> None:
    """Run the gateway until Ctrl-C or SIGTERM."""
    raise typer.Exit(run_module(OWN_MODULE["serve"], context.args))


def forward_simulate(context: typer.Context) -> None:
    """Run a simulated Workers AI until Ctrl-C: no account, no cost."""
    raise typer.Exit(run_module(OWN_MODULE["simulate"], context.args))


def show_version(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": __version__})
    else:
        typer.echo(__version__)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    first = arguments[0] if arguments else ""  # anything but a command: the help, a completion, options of the root
    names = [first] if first in _COMMANDS else () if first in _OF_NO_MODULE else tuple(_COMMANDS)
    try:
        make_tree(names)(arguments, prog_name="gateway")
    except CommandFailed as failure:
        print_failure(failure.message, failure.advice)
        return failure.code
    except SystemExit as end:  # how Click ends a command
        return end.code if isinstance(end.code, int) else 1
    return 0
