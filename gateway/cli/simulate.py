"""`gateway simulate`: the simulated Workers AI on a port of its own, to point a gateway or a test at."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.examples import shown
from gateway.cli.failure import ExitCode
from gateway.simulator import PUBLISHED_LIMITS, BadSwitch, Limits, SimulatorOptions, serve

app = typer.Typer(
    pretty_exceptions_enable=False, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)

_DEFAULTS = SimulatorOptions()
_HUMAN_PACE_SECONDS = 0.02


@app.command("simulate", epilog=shown("simulate"))
def simulate(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Listen here, on 127.0.0.1.")] = _DEFAULTS.port,
    pace: Annotated[float, typer.Option(min=0, help="Seconds between two events of a stream.")] = _HUMAN_PACE_SECONDS,
    scenario: Annotated[Path | None, typer.Option(help="A YAML file with rules for its answers.")] = None,
    record: Annotated[Path | None, typer.Option(help="Append the truth of every call to this file.")] = None,
    limits: Annotated[bool, typer.Option("--limits", help="Apply the published rate and quota limits.")] = False,
    seed: Annotated[int | None, typer.Option(help="Make ids and offsets repeatable.")] = None,
) -> None:
    """Run a simulated Workers AI until Ctrl-C: no account, no cost."""
    options = SimulatorOptions(
        port=port,
        pace_seconds=pace,
        scenario=scenario,
        record_path=record,
        limits=PUBLISHED_LIMITS if limits else Limits(),
        seed=seed,
    )
    typer.echo(_introduction(options), err=True)
    try:
        serve(options)
    except (BadSwitch, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(ExitCode.USAGE) from error


def run(arguments: list[str]) -> int:
    """Run `gateway simulate` with these arguments; its exit code."""
    try:
        app(arguments, prog_name="gateway simulate")
    except SystemExit as end:  # how Click ends a command
        return end.code if isinstance(end.code, int) else 1
    return 0


def _introduction(options: SimulatorOptions) -> str:
    return (
        f"Simulated Workers AI on http://{options.host}:{options.port}/client/v4. To use it, start a gateway with\n"
        f"  upstream.base_url: http://{options.host}:{options.port}/client/v4\n"
        f"  CLOUDFLARE_ACCOUNT_ID={options.account_id} CLOUDFLARE_API_TOKEN={options.api_token}"
    )
