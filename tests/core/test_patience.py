"""What a client says of its patience shortens the deadline and never lengthens it."""

import pytest

from gateway.core.patience import patience


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        (None, 600),
        ("600", 599.5),
        ("30.5", 30),
        ("0.4", 0.2),
        ("900", 600),
        ("", 600),
        ("soon", 600),
        ("nan", 600),
        ("inf", 600),
        ("-1", 600),
        ("0", 600),
        ("not given", 600),
    ],
)
def test_patience_of_each_statement(stated: str | None, seconds: float) -> None:
    assert patience(stated, 600) == seconds
