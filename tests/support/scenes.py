"""Scenes to write answers from, without a running simulator."""

from random import Random
from typing import Any

from gateway.simulator.models import MODELS
from gateway.simulator.plan import Answer
from gateway.simulator.scene import Scene, Usage
from gateway.simulator.switches import resolve
from gateway.simulator.tools import Chosen

CALL = Chosen("chatcmpl-tool-1", "get_weather", {"location": "Bern", "days": 3})


def scene(
    text: str = "Hello there, 世界!",
    *,
    model: str = "@cf/meta/llama-3.1-8b-instruct-fp8",
    calls: tuple[Chosen, ...] = (),
    json_value: Any = None,  # any JSON value
    **switches: Any,  # any switch
) -> Scene:
    """An answer about to be written, with 10 + 20 tokens reported."""
    finish = "tool_calls" if calls else "stop"
    answer = Answer("" if calls else text, calls, finish, 9, 19, 256, json_value, offers_tools=bool(calls))
    chosen = next(entry for entry in MODELS if entry.id == model)
    usage = Usage(10, 20, 0, chosen.neurons(10, 20))
    return Scene(answer, usage, resolve(switches), chosen, "id1", 1_800_000_000, Random(1))
