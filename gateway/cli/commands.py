"""The whole command line: every command in one tree, and the root options they share. It does nothing itself."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import (
    admin_keys,
    alerts,
    apply,
    audit,
    backup,
    configuration,
    doctor,
    explain,
    export,
    keys,
    ledger,
    limits,
    probe,
    projects,
    reconcile,
    restart,
    service_accounts,
    spool,
    usage,
    verify,
)
from gateway.cli.configuration_file import AsJson
from gateway.cli.examples import add_examples
from gateway.cli.failure import CommandFailed
from gateway.cli.main import OWN_MODULE, run_module
from gateway.cli.option_group import grouped
from gateway.cli.output import print_failure, print_json
from gateway.cli.place import Hints

app = typer.Typer(
    name="gateway",
    no_args_is_help=True,
    help="An OpenAI-compatible gateway to Llama 8B models on Cloudflare Workers AI.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,  # a traceback with local values could show a key
)
app.add_typer(projects.app, name="projects")
app.add_typer(service_accounts.app, name="service-accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(limits.app, name="limits")
app.add_typer(alerts.app, name="alerts")
app.add_typer(admin_keys.app, name="admin-keys")
app.add_typer(ledger.app, name="ledger")
app.add_typer(configuration.app, name="config")
app.command("usage")(usage.report_usage)
app.command("export")(export.export_rows)
app.command("reconcile")(reconcile.reconcile_day)
app.add_typer(spool.app, name="spool")
app.command("apply")(grouped(apply.apply_file, apply.ApplyOptions))
app.command("audit")(audit.list_acts)
app.command("backup")(backup.write_backup)
app.command("restore")(backup.restore_backup)
app.command("verify")(verify.verify_books)
app.command("models")(configuration.list_models)
app.command("explain")(explain.explain_file)
app.command("check")(configuration.check_file)
app.command("restart")(restart.restart_gateway)
app.command("doctor")(doctor.examine_here)
app.command("probe")(probe.probe_upstream)

# Here they are only listed, and found behind root options: what they take is known to the modules they come with.
_FORWARDING = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
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


@app.command("serve", context_settings=_FORWARDING, add_help_option=False)
def forward_serve(context: typer.Context) -> None:
    """Run the gateway until Ctrl-C or SIGTERM."""
    raise typer.Exit(run_module(OWN_MODULE["serve"], context.args))


@app.command("simulate", context_settings=_FORWARDING, add_help_option=False)
def forward_simulate(context: typer.Context) -> None:
    """Run a simulated Workers AI until Ctrl-C: no account, no cost."""
    raise typer.Exit(run_module(OWN_MODULE["simulate"], context.args))


@app.command("version")
def show_version(as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": __version__})
    else:
        typer.echo(__version__)


add_examples(app)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    try:
        app(arguments, prog_name="gateway")
    except CommandFailed as failure:
        print_failure(failure.message, failure.advice)
        return failure.code
    except SystemExit as end:  # how Click ends a command
        return end.code if isinstance(end.code, int) else 1
    return 0
