"""`gateway check`, `gateway config show` and `gateway models`: what a configuration says.

Nothing is started, nobody is talked to.
"""

import os
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.configuration_file import AsJson, Config, NotValid, choose_file, load_file
from gateway.cli.cost_map import cost_map, draw
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_line, print_note, print_table, show_count, show_day, show_nano
from gateway.config.origins import effective_values
from gateway.config.problems import ConfigProblem
from gateway.core.catalog import Catalog, Model, Price

app = typer.Typer(no_args_is_help=True, help="The configuration in force.")

_VALUE_COLUMNS = (Column("KEY"), Column("VALUE"), Column("FROM"))
_COLUMNS = (
    Column("MODEL"),
    Column("WINDOW", is_number=True),
    Column("IN USD/M", is_number=True),
    Column("OUT USD/M", is_number=True),
    Column("PRICE SOURCE"),
    Column("REMARKS"),
)


class ValueLine(msgspec.Struct):
    """One value in force, for `--json`. `line` and `variables` are where it comes from; neither: built in."""

    key: str
    value: object
    line: int | None
    variables: list[str]


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


class Checked(msgspec.Struct):
    """What `--json` prints."""

    valid: bool
    problems: tuple[ConfigProblem, ...] = ()
    notes: tuple[str, ...] = ()


def check_file(file: Annotated[Path, typer.Argument(help="A configuration file.")], as_json: AsJson = False) -> None:
    """Check a configuration file, with the environment it would meet: every mistake at once, with its line."""
    try:
        catalog = load_file(file, os.environ).settings.catalog
    except NotValid as failure:
        if not as_json:
            raise
        print_json(Checked(False, failure.problems))
        raise typer.Exit(failure.code) from failure
    notes = [f"{each.id}: {remark}" for each in catalog.models.values() for remark in _remarks(each, _newest(each))]
    if as_json:
        print_json(Checked(True, notes=tuple(notes)))
        return
    for note in notes:
        print_note(f"Note: {note}")
    print_note(
        f"{file} is valid: {show_count(len(catalog.models), 'model')}, {show_count(len(catalog.routes), 'route')}, "
        f"{show_count(len(catalog.aliases), 'alias', 'aliases')}."
    )


@app.command("show")
def show_values(
    config: Config = None,
    demo: Annotated[bool, typer.Option("--demo", help="As `gateway serve --demo` would see it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every value in force and where it comes from: the file's line, a variable, the default. No secret."""
    file = choose_file(config, os.environ)
    values = effective_values(load_file(file, os.environ, demo=demo))
    if as_json:
        print_json([ValueLine(each.path, each.value, each.line, list(each.variables)) for each in values])
        return
    print_note(f"Configuration: {file.resolve() if file else 'no file, the defaults'}")
    print_table(_VALUE_COLUMNS, [(each.path, _shown(each.value), each.origin) for each in values])


def list_models(
    config: Config = None,
    as_json: AsJson = False,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Draw which model is cheapest where, as SVG, into this file.")
    ] = None,
    map_route: Annotated[str, typer.Option("--route", help="The route whose models are drawn.")] = "auto",
) -> None:
    """Show the models: windows, prices, where each figure comes from."""
    catalog = load_file(choose_file(config, os.environ), os.environ).settings.catalog
    if map_file is not None:
        _draw_map(catalog, map_route, map_file)
        return
    lines = [_line(model) for model in catalog.models.values()]
    if as_json:
        print_json(lines)
        return
    print_table(_COLUMNS, [_cells(line) for line in lines])
    for route in catalog.routes.values():
        print_line()
        print_line(f"route {route.name} ({route.policy}): {', '.join(route.models)}")
    if catalog.aliases:
        print_line("aliases: " + ", ".join(f"{name} → {goal}" for name, goal in catalog.aliases.items()))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _draw_map(catalog: Catalog, name: str, file: Path) -> None:
    route = catalog.routes.get(name)
    if route is None:
        raise CommandFailed(f"There is no route '{name}'.", ExitCode.USAGE, f"There are: {', '.join(catalog.routes)}.")
    picture = draw(cost_map(catalog, route, time.time()), f"The cheapest model of the route {name}")
    try:
        file.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"Cannot write {file}: {error.strerror}.", ExitCode.USAGE) from error
    print_note(f"Drawn into {file}.")


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
