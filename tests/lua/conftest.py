"""The steps run on every kind of server found here."""

from collections.abc import Iterator

import pytest
from support.valkey import ThrowAwayStore, server_binaries, throw_away_store


@pytest.fixture(scope="session", params=server_binaries(), ids=lambda path: str(path).rpartition("/")[2])
def server(request: pytest.FixtureRequest) -> Iterator[ThrowAwayStore]:
    with throw_away_store(request.param) as found:
        yield found
