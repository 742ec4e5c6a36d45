"""A client of the gateway against a server of the test: settings, deadlines, and a loop to run both in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import uvloop
from support.raw_server import RawServer, Script, raw_server

from gateway.client.contract import Client
from gateway.client.select import create_client
from gateway.config.settings import UpstreamSettings

ACCOUNT = "0123abcd"
TOKEN = "token-of-the-test"

P = ParamSpec("P")
T = TypeVar("T")


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:  # any coroutine that returns None
    """Runs an asynchronous test in the loop the gateway runs in."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        uvloop.run(test(*args, **kwargs))

    return run


def upstream_settings(url: str, **changes: Any) -> UpstreamSettings:  # any field of the settings
    """Settings that point at `url`; any field may be changed."""
    settings = UpstreamSettings(base_url=f"{url}/client/v4", account_id=ACCOUNT, api_token=TOKEN)
    return replace(settings, **changes)


def soon(seconds: float = 10.0) -> float:
    """A deadline in loop time; the default is one that only a failure reaches."""
    return asyncio.get_running_loop().time() + seconds


async def within(awaited: Awaitable[T], seconds: float = 10.0) -> T:
    """What must come, and soon."""
    async with asyncio.timeout(seconds):
        return await awaited


@asynccontextmanager
async def connected(name: str, script: Script, **changes: Any) -> AsyncIterator[tuple[RawServer, Client]]:  # as above
    """A server that does as `script` says and a client of the named adapter that points at it."""
    async with raw_server(script) as server:
        client = create_client(upstream_settings(server.url, client=name, **changes))
        try:
            yield server, client
        finally:
            await client.close()
