"""What every test needs: one hypothesis profile, without wall-clock deadlines (speed lives in benchmarks/).

And one store for all tests of whole workers; each worker takes a prefix of its own.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from support.valkey import throw_away_store

settings.register_profile("gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gateway")


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    with throw_away_store() as store:
        yield store.url
