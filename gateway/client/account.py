"""Where the upstream is and how it is spoken to: one account's URL, the headers of every call, the way through a proxy.

Reads settings only; never the environment.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway import __version__
from gateway.config.settings import UpstreamSettings

MAX_REPLY_BYTES = 32 * 1024 * 1024
"""The largest answer `fetch` and `get` take in. A full window of text is under 1 MiB; JSON escapes make it 6."""

AFFINITY_HEADER = "x-session-affinity"
"""Pins a conversation to the instance that has its prefix cached, for models that cache one."""

IDLE_SECONDS = 50.0
"""How long an idle connection is kept. Shorter than the 75 s after which common servers close theirs, so that a call
rarely meets a connection that is being closed: such a call may have been billed and cannot be repeated safely."""


@dataclass(slots=True, frozen=True)
class Account:
    """What both adapters need to know. `proxy` is empty where there is none to use; timeouts are seconds."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    proxy: str = field(repr=False)
    authorities: str | None = field(repr=False)  # PEM
    connect_seconds: float
    first_byte_seconds: float
    read_seconds: float
    max_connections: int


def read_account(settings: UpstreamSettings) -> Account:
    """The account of these settings. Raises OSError where the CA bundle cannot be read."""
    base_url = settings.base_url.rstrip("/")
    # `Bearer` with nothing behind it is no legal header; a simulator needs none.
    authorization = {"authorization": f"Bearer {settings.api_token}"} if settings.api_token else {}
    return Account(
        url=f"{base_url}/accounts/{settings.account_id}",
        headers={
            **authorization,
            "content-type": "application/json",
            "accept": "*/*",
            "user-agent": f"workers-ai-gateway/{__version__}",
        },
        proxy="" if is_loopback(base_url) else settings.proxy,
        authorities=Path(settings.ca_file).read_text(encoding="ascii", errors="ignore") if settings.ca_file else None,
        connect_seconds=settings.connect_seconds,
        first_byte_seconds=settings.first_byte_seconds,
        read_seconds=settings.read_seconds,
        max_connections=settings.max_connections,
    )


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine: a proxy would reach another one under that name."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
