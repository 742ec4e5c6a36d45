"""What is wrong with a configuration: all of it at once, each with path, line and, where one is likely, the fix.

Decides nothing about when a configuration is wrong. Never holds a secret's value.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True, frozen=True)
class ConfigProblem:
    """`line` counts from 1; None where the file says nothing about it (something missing, the environment)."""

    path: str
    line: int | None
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        path = f"{self.path}: " if self.path else ""
        fix = f" ({self.suggestion})" if self.suggestion else ""
        return f"{place}{path}{self.message}{fix}"


class ConfigErrors(Exception):
    """Everything wrong with one configuration, in the order of its lines."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.path)))
        super().__init__("\n".join(map(str, self.problems)))


def joined(path: str, key: str | int) -> str:
    """The path of `key` below `path`: `server.port`, `models["@cf/a/b"].prices[0]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key)}]"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion naming the nearest of `known`; empty where none is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""
