"""One served admin API, emptied for each test, and the real command beside it.

Commands that ask the API run in this process; those that need none, and with them how every command begins and ends,
in a process of their own.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import openai
import pytest
from support.admin_gateway import ADMIN_KEY, AdminGateway, admin_gateway
from support.command_line import Command, Result, run_gateway, run_gateway_here
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
        base_url=f"{gateway.url}/v1",
        admin_api_key=ADMIN_KEY,
        max_retries=0,
        http_client=httpx2.Client(trust_env=False),
    ) as opened:
        yield opened


@pytest.fixture
def bare(tmp_path: Path) -> Command:
    """Runs `gateway …` in an empty directory and an empty environment."""

    def run(*arguments: str, environ: Mapping[str, str] | None = None, answer: str = "") -> Result:
        return run_gateway(tmp_path, arguments, environ or {}, answer)

    return run


@pytest.fixture
def command(tmp_path: Path, gateway: AdminGateway) -> Command:
    """Runs `gateway …` in an empty directory with the environment of an operator of the served gateway."""
    # A proxy that does not exist: a gateway on this machine is never reached through one.
    own = {"GATEWAY_URL": gateway.url, "GATEWAY_ADMIN_KEY": ADMIN_KEY, "HTTP_PROXY": "http://127.0.0.1:1"}

    def run(*arguments: str, environ: Mapping[str, str] | None = None, answer: str = "") -> Result:
        return run_gateway_here(tmp_path, arguments, {**own, **(environ or {})}, answer)

    return run
