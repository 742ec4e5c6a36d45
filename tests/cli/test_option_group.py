"""Fields of a dataclass become a command's arguments and options."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from gateway.cli.option_group import grouped


@dataclass(frozen=True)
class Options:
    name: Annotated[str, typer.Argument(help="Whom to greet.")]
    times: Annotated[int, typer.Option("--times", help="How often.")] = 1


def greet(context: typer.Context, options: Options) -> None:
    """Greet somebody."""
    typer.echo(f"{context.info_name}: {options.name} x{options.times}")


def test_grouped_fields_are_what_the_command_takes() -> None:
    app = typer.Typer()
    app.command("greet")(grouped(greet, Options))
    runner = CliRunner()
    assert runner.invoke(app, ["you"]).output.endswith(": you x1\n")
    assert runner.invoke(app, ["you", "--times", "3"]).output.endswith(": you x3\n")
    assert runner.invoke(app, []).exit_code == 2
    told = runner.invoke(app, ["--help"]).output
    assert "Greet somebody." in told
    assert "How often." in told
