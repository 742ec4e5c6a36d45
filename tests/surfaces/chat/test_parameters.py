"""The parameter table: complete against OpenAI's published request, and true to its own words."""

import pytest

from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat.parameters import BY_NAME, PARAMETERS, Parameter
from gateway.surfaces.chat.parse import parse

# Every member of OpenAI's request, from its API description 2.3.0.
PUBLISHED = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
EXTRA = {"top_k", "repetition_penalty", "raw", "lora"}


def test_parameters_cover_the_published_request_and_the_extras() -> None:
    assert set(BY_NAME) == PUBLISHED | EXTRA
    assert len(PARAMETERS) == len(BY_NAME)


@pytest.mark.parametrize("parameter", [p for p in PARAMETERS if p.effect == "ignored"], ids=lambda p: p.name)
def test_parameters_ignored_one_is_accepted_and_told(parameter: Parameter) -> None:
    call = parse({"model": "m", "messages": [{"role": "user", "content": "x"}], parameter.name: {"any": 1}})
    assert call.ignored == (parameter.name,)


@pytest.mark.parametrize("parameter", [p for p in PARAMETERS if p.effect == "refused"], ids=lambda p: p.name)
def test_parameters_refused_one_is_named(parameter: Parameter) -> None:
    value = {"logprobs": True, "top_logprobs": 1}.get(parameter.name, {"a": 1})
    with pytest.raises(InvalidRequest) as caught:
        parse({"model": "m", "messages": [{"role": "user", "content": "x"}], parameter.name: value})
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", parameter.name)
