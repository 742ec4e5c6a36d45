"""What a test needs of the machine. Where it is missing the test is skipped; in CI that is a failure."""

from typing import TypeVar

import pytest

T = TypeVar("T")


def need(found: T | None, what: str) -> T:
    """`found`, unless it is nothing."""
    if not found:
        pytest.skip(f"not on this machine: {what}")
    return found
