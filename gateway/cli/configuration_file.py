"""Which configuration file a command means, and what it says: for every command that does not start the gateway."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.extras import load_installed
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.config.load import Loaded
from gateway.config.problems import ConfigErrors

Config = Annotated[
    Path | None,
    typer.Option("--config", help="A configuration file; else $GATEWAY_CONFIG, ./config.yaml, the defaults."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def choose_file(named: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file `gateway serve` would take; None where there is none."""
    if named is not None:
        return named
    if environ.get("GATEWAY_CONFIG"):
        return Path(environ["GATEWAY_CONFIG"])
    default = Path("config.yaml")
    return default if default.exists() else None


def load_file(file: Path | None, environ: Mapping[str, str], *, demo: bool = False) -> Loaded:
    """What the file says in this environment. Raises CommandFailed with every mistake in it."""
    try:
        text = file.read_text(encoding="utf-8") if file else ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandFailed(f"Cannot read {file}: {reason}.", ExitCode.USAGE) from error
    base = file.absolute().parent if file else Path.cwd()
    try:
        return load_installed(text, environ, base, demo=demo, read_secret=_read_secret)
    except ConfigErrors as errors:
        raise NotValid(file, errors) from errors


class NotValid(CommandFailed):
    """The configuration has mistakes: all of them, also as values."""

    def __init__(self, file: Path | None, errors: ConfigErrors) -> None:
        listed = "\n".join(f"  {problem}" for problem in errors.problems)
        super().__init__(
            f"{file or 'the environment'} is not valid:\n{listed}",
            ExitCode.USAGE,
            "docs/configuration.md explains every key.",
        )
        self.problems = errors.problems


def _read_secret(file: Path) -> str:
    return file.read_text(encoding="utf-8")
