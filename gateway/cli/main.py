"""The entry of `gateway`: hands the command to the module that knows it, and loads no other.

`gateway serve` starts processes and has to be quick: the tables and the HTTP client of the other commands would cost it
a tenth of a second. This module therefore imports next to nothing and decides nothing else.
"""

import os
import sys
from importlib import import_module
from typing import Final

# Commands that come with a module of their own, whose `run(arguments)` gets what follows the command's name.
_OWN_MODULE: Final = {"serve": "gateway.cli.start", "simulate": "gateway.cli.simulate"}
_ALL_COMMANDS: Final = "gateway.cli.commands"

# Set by the shell while it asks for completions: then the whole tree has to answer.
_COMPLETION_VARIABLE: Final = "_GATEWAY_COMPLETE"


def main() -> int:
    """Run the command line of this process; its exit code."""
    arguments = sys.argv[1:]
    own = _OWN_MODULE.get(arguments[0]) if arguments and _COMPLETION_VARIABLE not in os.environ else None
    if own is not None:
        arguments = arguments[1:]
    code: int = import_module(own or _ALL_COMMANDS).run(arguments)
    return code
