"""One real server for all backup tests; each test takes a prefix of its own."""

from collections.abc import Iterator

import pytest
from support.valkey import ThrowAwayStore, throw_away_store


@pytest.fixture(scope="session")
def server() -> Iterator[ThrowAwayStore]:
    with throw_away_store() as found:
        yield found
