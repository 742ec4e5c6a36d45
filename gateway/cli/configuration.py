"""`gateway check` and `gateway models`: what a configuration says, without starting anything or talking to anybody."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table, show_day, show_nano
from gateway.config.load import load
from gateway.config.problems import ConfigErrors
from gateway.config.settings import Settings
from gateway.core.catalog import Model, Price

_COLUMNS = (
    Column("MODEL"),
    Column("WINDOW", is_number=True),
    Column("IN USD/M", is_number=True),
    Column("OUT USD/M", is_number=True),
    Column("PRICE SOURCE"),
    Column("REMARKS"),
)


class ModelLine(msgspec.Struct):
    """One model of the catalogue, for `--json`. Prices are dollars per million tokens, None where there is no price."""

    id: str
    names: list[str]
    window_tokens: int
    window_source: str
    input_usd_per_mtok: msgspec.Raw
    output_usd_per_mtok: msgspec.Raw
    price_from: str
    price_source: str
    capabilities: list[str]
    remarks: list[str]


def check_file(file: Annotated[Path, typer.Argument(help="A configuration file.")]) -> None:
    """Check a configuration file, with the environment it would meet."""
    settings = _load_file(file, os.environ)
    catalog = settings.catalog
    for model in catalog.models.values():
        for remark in _remarks(model, _newest(model)):
            print_note(f"Note: {model.id}: {remark}")
    print_note(
        f"{file} is valid: {len(catalog.models)} models, {len(catalog.routes)} routes, {len(catalog.aliases)} aliases."
    )


def list_models(
    config: Annotated[
        Path | None,
        typer.Option(help="A configuration file; else $GATEWAY_CONFIG, ./config.yaml, the built-in models."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the models: windows, prices, where each figure comes from."""
    environ = dict(os.environ)
    named = config or (Path(environ["GATEWAY_CONFIG"]) if environ.get("GATEWAY_CONFIG") else None)
    default = Path("config.yaml")
    file = named or (default if default.is_file() else None)
    settings = _load_file(file, environ) if file else _load("", environ, Path.cwd())
    lines = [_line(model) for model in settings.catalog.models.values()]
    if as_json:
        print_json(lines)
        return
    print_table(_COLUMNS, [_cells(line) for line in lines])
    for route in settings.catalog.routes.values():
        typer.echo(f"\nroute {route.name} ({route.policy}): {', '.join(route.models)}")
    if settings.catalog.aliases:
        typer.echo("aliases: " + ", ".join(f"{name} → {goal}" for name, goal in settings.catalog.aliases.items()))


def _load_file(file: Path, environ: Mapping[str, str]) -> Settings:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandFailed(f"Cannot read {file}: {reason}.", ExitCode.USAGE) from error
    return _load(text, environ, file.resolve().parent, str(file))


def _load(text: str, environ: Mapping[str, str], base: Path, name: str = "the environment") -> Settings:
    try:
        return load(text, environ, base, demo=False, read_secret=_read_secret)
    except ConfigErrors as errors:
        listed = "\n".join(f"  {problem}" for problem in errors.problems)
        raise CommandFailed(
            f"{name} is not valid:\n{listed}", ExitCode.USAGE, "docs/configuration.md explains every key."
        ) from errors


def _read_secret(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _newest(model: Model) -> Price:
    return model.prices[-1]


def _line(model: Model) -> ModelLine:
    price = _newest(model)
    return ModelLine(
        id=model.id,
        names=list(model.names),
        window_tokens=model.window_tokens,
        window_source=model.window_source,
        input_usd_per_mtok=msgspec.Raw(show_nano(price.input_nano_per_mtok).encode()),
        output_usd_per_mtok=msgspec.Raw(show_nano(price.output_nano_per_mtok).encode()),
        price_from=show_day(price.start),
        price_source=price.source,
        capabilities=sorted(model.capabilities),
        remarks=_remarks(model, price),
    )


def _remarks(model: Model, price: Price) -> list[str]:
    """What a user should not take for granted."""
    found = []
    if not price.is_certain:
        found.append(f"price {price.source.partition(':')[0]}")
    if model.window_source != "published":
        found.append(f"window {model.window_source}")
    if model.deprecated_on is not None:
        successor = f", use {model.successor}" if model.successor else ""
        found.append(f"deprecated on {show_day(model.deprecated_on)}{successor}")
    return found


def _cells(line: ModelLine) -> tuple[str, ...]:
    return (
        line.id,
        str(line.window_tokens),
        bytes(line.input_usd_per_mtok).decode(),
        bytes(line.output_usd_per_mtok).decode(),
        line.price_source,
        "; ".join(line.remarks),
    )
