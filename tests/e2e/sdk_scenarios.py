"""What users do with the official Python SDK, run against a gateway by whichever version is installed.

A program of its own, not a test module: the tests run it with the interpreter of each SDK version. Reads
OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_ADMIN_KEY; prints one JSON object of scenario → result.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import openai
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
FAST = "@cf/meta/llama-3.1-8b-instruct-fast"
HELLO: list[Any] = [{"role": "user", "content": "Hello, who are you?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def client(**changes: Any) -> OpenAI:
    return OpenAI(**{"_strict_response_validation": True, "max_retries": 0, "timeout": 30, **changes})


def complete() -> dict[str, Any]:
    raw = client().chat.completions.with_raw_response.create(model="auto", messages=HELLO, max_tokens=64)
    answer = raw.parse()
    ChatCompletion.model_validate(answer.model_dump())
    return {
        "text": answer.choices[0].message.content,
        "finish": answer.choices[0].finish_reason,
        "model": answer.model,
        "usage": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
        "request_id": raw.headers["x-request-id"],
        "headers": {
            name: raw.headers.get(name)
            for name in (
                "x-gateway-model",
                "x-gateway-attempts",
                "openai-processing-ms",
                "x-gateway-cost-usd",
                "x-gateway-upstream",
            )
        },
    }


def stream() -> dict[str, Any]:
    chunks = list(client().chat.completions.create(model=FP8, messages=HELLO, max_tokens=64, stream=True))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump())
    return {
        "text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks),
        "finishes": [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason],
        "roles": [chunk.choices[0].delta.role for chunk in chunks if chunk.choices[0].delta.role],
        "usages": [chunk.usage for chunk in chunks if chunk.usage],
    }


def stream_with_usage() -> dict[str, Any]:
    with (
        client()
        .chat.completions.with_raw_response.create(
            model="auto", messages=HELLO, max_tokens=64, stream=True, stream_options={"include_usage": True}
        )
        .parse() as events
    ):
        usage = [event.usage for event in events if event.usage]
    return {"usages": [[entry.prompt_tokens, entry.completion_tokens] for entry in usage]}


def stream_accumulated() -> dict[str, Any]:
    with client().chat.completions.stream(model="auto", messages=HELLO, max_tokens=64) as events:
        for _ in events:
            pass
        final = events.get_final_completion()
    return {
        "role": final.choices[0].message.role,
        "finish": final.choices[0].finish_reason,
        "text": final.choices[0].message.content,
    }


def tools() -> dict[str, Any]:
    conversation: list[Any] = [{"role": "user", "content": "Use get_weather for the weather of Paris"}]
    first = client().chat.completions.create(model="auto", messages=conversation, tools=[WEATHER])
    message = first.choices[0].message
    calls = message.tool_calls or []
    conversation.append(message.model_dump(exclude_none=True) | {"content": None})
    conversation += [{"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'} for call in calls]
    second = client().chat.completions.create(model="auto", messages=conversation, tools=[WEATHER])
    return {
        "finish": first.choices[0].finish_reason,
        "names": [call.function.name for call in calls],
        "arguments": [json.loads(call.function.arguments) for call in calls],
        "second": second.choices[0].finish_reason,
        "text": second.choices[0].message.content,
    }


def parallel_tools() -> dict[str, Any]:
    """Two calls in one answer, streamed: each with its own id and index."""
    prompt = "Use get_weather for Paris and for Rome [[sim: tool_call=get_weather calls=2]]"
    conversation: list[Any] = [{"role": "user", "content": prompt}]
    with client().chat.completions.stream(model=FP8, messages=conversation, tools=[WEATHER]) as events:
        for _ in events:
            pass
        calls = events.get_final_completion().choices[0].message.tool_calls or []
    return {
        "names": [call.function.name for call in calls],
        "distinct": len({call.id for call in calls}),
        "arguments": [isinstance(json.loads(call.function.arguments), dict) for call in calls],
    }


class Weather(BaseModel):
    """What `.parse()` turns into a JSON Schema."""

    city: str
    celsius: int


def parse() -> dict[str, Any]:
    question: list[Any] = [{"role": "user", "content": "The weather of Paris, as JSON"}]
    completion = client().chat.completions.parse(model=FAST, messages=question, response_format=Weather)
    parsed = completion.choices[0].message.parsed
    return {"is_weather": isinstance(parsed, Weather)}


def models() -> dict[str, Any]:
    listed = [entry.id for entry in client().models.list()]
    return {"listed": listed, "retrieved": client().models.retrieve(FP8).id}


def errors() -> dict[str, Any]:
    refusals: dict[str, Callable[[], object]] = {
        "wrong_key": lambda: client(api_key="sk-wrong").models.list(),
        "unknown_model": lambda: client().chat.completions.create(model="gpt-9", messages=HELLO),
        "empty_messages": lambda: client().chat.completions.create(model="auto", messages=[]),
        "bad_role": lambda: client().chat.completions.create(
            model="auto",
            messages=[{"role": "robot", "content": "x"}],  # type: ignore[list-item, misc]  # what is refused
        ),
        "bad_temperature": lambda: client().chat.completions.create(model="auto", messages=HELLO, temperature=9),
        "too_long": lambda: client().chat.completions.create(
            model=FP8, messages=[{"role": "user", "content": "word " * 40_000}]
        ),
        "upstream_busy": lambda: client().chat.completions.create(
            model=FP8, messages=[{"role": "user", "content": "hi [[sim:error=3040]]"}]
        ),
        "unknown_url": lambda: client().images.generate(model="x", prompt="x"),
    }
    found: dict[str, Any] = {}
    for name, refuse in refusals.items():
        try:
            refuse()
        except openai.APIStatusError as error:
            found[name] = [type(error).__name__, error.status_code, error.code, error.param, error.request_id]
    return found


def admin() -> dict[str, Any]:
    organization = OpenAI(admin_api_key=os.environ["OPENAI_ADMIN_KEY"]).admin.organization
    project = organization.projects.create(name="made by the SDK")
    account = organization.projects.service_accounts.create(project_id=project.id, name="robot")
    key = account.api_key
    assert key is not None
    answer = client(api_key=key.value).chat.completions.create(model="auto", messages=HELLO, max_tokens=16)
    organization.projects.api_keys.delete(key.id, project_id=project.id)
    try:
        client(api_key=key.value).chat.completions.create(model="auto", messages=HELLO)
    except openai.AuthenticationError as error:
        revoked = error.code
    else:
        revoked = "still works"
    listed = [entry.id for entry in organization.projects.list()]
    return {
        "project": project.id,
        "listed": project.id in listed,
        "answered": answer.choices[0].finish_reason,
        "revoked": revoked,
    }


SCENARIOS: dict[str, Callable[[], dict[str, Any]]] = {
    function.__name__: function
    for function in (
        complete,
        stream,
        stream_with_usage,
        stream_accumulated,
        tools,
        parallel_tools,
        parse,
        models,
        errors,
        admin,
    )
}

if __name__ == "__main__":
    wanted = sys.argv[1:] or list(SCENARIOS)
    results: dict[str, Any] = {"version": openai.__version__}
    for scenario in wanted:
        results[scenario] = SCENARIOS[scenario]()
    print(json.dumps(results))
