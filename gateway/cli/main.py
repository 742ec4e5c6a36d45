"""The entry of `gateway`: hands the command to the module that knows it, and loads no other.

`gateway serve` starts processes and has to be quick: the tables and the HTTP client of the other commands would cost it
a tenth of a second. This module therefore imports next to nothing and decides nothing else.
"""

import os
import sys
from importlib import import_module
from typing import Final

# Commands that come with a module of their own, whose `run(arguments)` gets what follows the command's name.
OWN_MODULE: Final = {"serve": "gateway.cli.start", "simulate": "gateway.cli.simulate"}
_ALL_COMMANDS: Final = "gateway.cli.commands"

# Set by the shell while it asks for completions: then the whole tree has to answer.
_COMPLETION_VARIABLE: Final = "_GATEWAY_COMPLETE"


def main() -> int:
    """Run the command line of this process; its exit code."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in OWN_MODULE and _COMPLETION_VARIABLE not in os.environ:
        return run_module(OWN_MODULE[arguments[0]], arguments[1:])
    return run_module(_ALL_COMMANDS, arguments)


def run_module(name: str, arguments: list[str]) -> int:
    """Load a module and let it run a command; its exit code."""
    code: int = import_module(name).run(arguments)
    return code
