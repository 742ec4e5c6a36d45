"""Estimates what a stranger's regular expression may cost, because Python's engine backtracks and cannot be stopped."""

import re

_MAX_STEPS = 5_000_000  # roughly 0.1 s of the engine

_find_atoms = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_find_choices = re.compile(r"[*+?|{]")
_find_repeated_group = re.compile(r"\)[*+{]")
_find_back_reference = re.compile(r"\\[1-9]|\(\?P=")


def is_cheap(pattern: str, length: int) -> bool:
    """Whether matching a text of `length` characters against `pattern` takes a bounded number of steps.

    Every place where the engine may choose multiplies the steps by the length at most, unless a group repeats or is
    referred to; those are never cheap.
    """
    bare = _find_atoms.sub("x", pattern)
    if _find_repeated_group.search(bare) or _find_back_reference.search(pattern):
        return False
    choices = len(_find_choices.findall(bare)) + (0 if pattern.startswith("^") else 1)
    # The first test keeps the power of the second small enough to compute.
    return choices * (length + 1).bit_length() <= 64 and (length + 1) ** choices <= _MAX_STEPS
