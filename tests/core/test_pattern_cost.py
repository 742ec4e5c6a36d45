"""The cost of regular expressions: bounded ones pass, the known catastrophes do not."""

import pytest

from gateway.core.pattern_cost import is_cheap


@pytest.mark.parametrize(
    ("pattern", "length", "cheap"),
    [
        ("^[a-z]+$", 10_000, True),
        (r"^[^@\s]+@[^@\s]+\.[^@\s]+$", 40, True),
        (r"^[^@\s]+@[^@\s]+\.[^@\s]+$", 4_000, False),
        (r"^\d{4}-\d{2}-\d{2}$", 10, True),
        ("^(a+)+$", 5, False),
        ("^(a|a)*$", 5, False),
        ("^(a|b){30}$", 5, False),
        (r"^(a)\1$", 5, False),
        ("^(?P<x>a+)(?P=x)$", 5, False),
        ("^" + "a?" * 40 + "a" * 40 + "$", 40, False),
        ("^" + "(a|b)" * 40 + "$", 40, False),
        (r"^[(+*)]\+$", 100_000, True),
        ("abc", 1_000, True),
    ],
)
def test_is_cheap_table(pattern: str, length: int, cheap: bool) -> None:
    assert is_cheap(pattern, length) is cheap
