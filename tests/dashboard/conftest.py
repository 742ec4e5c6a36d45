"""One served dashboard over one store, emptied for each test."""

from collections.abc import Iterator

import pytest
from support.admin_gateway import AdminGateway, admin_gateway


@pytest.fixture(scope="session")
def served(store_url: str) -> Iterator[AdminGateway]:
    with admin_gateway(store_url) as running:
        yield running


@pytest.fixture
def gateway(served: AdminGateway) -> AdminGateway:
    """The running dashboard over an empty prefix."""
    for name in served.redis.scan_iter(f"{served.layout.prefix}*"):
        served.redis.delete(name)
    return served
