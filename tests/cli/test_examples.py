"""Examples: every command has some, below its help, and each of them is a command this version takes."""

import shlex
from typing import Any

import pytest
import typer

from gateway.cli.commands import make_tree
from gateway.cli.examples import EXAMPLES, shown
from gateway.cli.simulate import app as simulate_app
from gateway.cli.start import app as serve_app

NO_JSON = {"serve", "simulate", "apply"}  # what they print is for people; what apply did is in the audit
OWN: dict[str, object] = {"serve": typer.main.get_command(serve_app), "simulate": typer.main.get_command(simulate_app)}


Found = dict[str, Any]  # Typer has a Click of its own, without a public name


def _commands(command: object, name: str = "") -> Found:
    children: Found | None = getattr(command, "commands", None)
    if children is None:
        return {name: OWN.get(name, command)}
    found: Found = {}
    for word, child in children.items():
        found |= _commands(child, f"{name} {word}".strip())
    return found


COMMANDS = _commands(typer.main.get_command(make_tree()))


def test_every_command_has_examples_and_every_example_its_command() -> None:
    assert COMMANDS.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_the_examples(name: str) -> None:
    assert COMMANDS[name].epilog == shown(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_parse(name: str) -> None:
    for example in EXAMPLES[name]:
        line = example.partition(" > ")[0]
        words = shlex.split(line)
        begin = words.index(name.split()[-1]) + 1
        assert " ".join(words[:begin]).endswith(name)
        COMMANDS[name].make_context(name, words[begin:])  # raises click's errors


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - NO_JSON))
def test_every_command_prints_json_when_asked(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert options & {"--json", "--format"}
