"""The options of a command as a dataclass, where there are more of them than a function should take."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from inspect import Parameter, Signature
from typing import Any, TypeVar, get_type_hints

import typer

Options = TypeVar("Options")


def grouped(command: Callable[[typer.Context, Options], None], options: type[Options]) -> Callable[..., None]:
    """The command as Typer takes it: each field of `options`, annotated like a parameter, is one."""

    @wraps(command)
    def run(context: typer.Context, **given: Any) -> None:  # values of the fields
        command(context, options(**given))

    hints = get_type_hints(options, include_extras=True)
    found = [Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)]
    for each in fields(options):  # type: ignore[arg-type]  # a dataclass, which no bound of a type variable says
        default = Parameter.empty if each.default is MISSING else each.default
        found.append(Parameter(each.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[each.name]))
    run.__signature__ = Signature(found)  # type: ignore[attr-defined]  # what inspect reads
    return run
