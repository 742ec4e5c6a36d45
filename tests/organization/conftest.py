"""One served admin API over one store, emptied for each test, and the official SDK as its client."""

from collections.abc import Iterator

import httpx2
import openai
import pytest
from support.admin_gateway import ADMIN_KEY, AdminGateway, admin_gateway
from support.valkey import throw_away_store


@pytest.fixture(scope="session")
def served() -> Iterator[AdminGateway]:
    with throw_away_store() as store, admin_gateway(store.url) as running:
        yield running


@pytest.fixture
def gateway(served: AdminGateway) -> AdminGateway:
    """The running API over an empty store."""
    served.redis.flushdb()
    served.minutes += 2
    return served


@pytest.fixture
def client(gateway: AdminGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1", admin_api_key=ADMIN_KEY, max_retries=0,
        http_client=httpx2.Client(trust_env=False),
    ) as opened:  # fmt: skip
        yield opened


@pytest.fixture
def http(gateway: AdminGateway) -> Iterator[httpx2.Client]:
    """The same API without an SDK in between."""
    with httpx2.Client(
        base_url=f"{gateway.url}/v1/organization",
        headers={"authorization": f"Bearer {ADMIN_KEY}"},
        trust_env=False,
    ) as opened:
        yield opened
