"""Calls to a running simulator, and what came back as values."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from gateway.simulator import Simulator, SimulatorOptions, running
from gateway.simulator.record import CallRecord

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
FAST = "@cf/meta/llama-3.1-8b-instruct-fast"
HF = "@hf/meta-llama/meta-llama-3-8b-instruct"
OLD = "@cf/meta/llama-3.1-8b-instruct"

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "a town"},
                "days": {"type": "integer", "description": "how many"},
            },
            "required": ["location"],
        },
    },
}

Json = dict[str, Any]  # a decoded answer


def asking(text: str, **fields: Any) -> Json:  # any field of a request body
    """A request body with one user message."""
    return {"messages": [{"role": "user", "content": text}], **fields}


def events_of(body: bytes) -> list[Json]:
    """The JSON of every event of a regular stream, without the end mark."""
    lines = body.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    return [json.loads(entry) for entry in data if entry != "[DONE]"]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something has happened in it. Fails when it does not happen."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0)


class Caller:
    """Somebody with the simulator's credentials."""

    def __init__(self, simulator: Simulator, client: httpx2.AsyncClient) -> None:
        self.simulator = simulator
        self.client = client

    async def post(self, body: Json, model: str = FP8, **headers: str) -> httpx2.Response:
        """Run a model with a body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(self.simulator.run_url(model), json=body, headers=named)

    async def ask(self, text: str, model: str = FP8, **fields: Any) -> httpx2.Response:  # any field of a body
        """Run a model with one user message."""
        return await self.post(asking(text, **fields), model)

    async def stream(self, text: str, model: str = FP8, **fields: Any) -> list[Json]:  # as above
        """The events of a streamed answer."""
        response = await self.ask(text, model, stream=True, **fields)
        assert response.headers["content-type"] == "text/event-stream", response.text
        return events_of(response.content)

    @property
    def last(self) -> CallRecord:
        """The record of the call that ended last."""
        return self.simulator.record.calls[-1]


@asynccontextmanager
async def calling(options: SimulatorOptions) -> AsyncIterator[Caller]:
    """A simulator with these options and somebody who calls it."""
    async with running(options) as simulator:
        headers = {"authorization": f"Bearer {simulator.api_token}"}
        async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=20) as client:
            yield Caller(simulator, client)
