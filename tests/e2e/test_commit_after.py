"""`chat.commit_after_seconds`: early heartbeats, paid for with status codes and retries."""

from collections.abc import Iterator

import pytest
from support.gateway import GatewayProcess, gateway, simulator

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    extra = "chat: {commit_after_seconds: 0.05, heartbeat_seconds: 0.1, out_of_range: refuse, max_choices: 2}"
    with simulator() as upstream, gateway(tmp_path_factory.mktemp("commit"), upstream, extra=extra) as started:
        yield started


def ask(product: GatewayProcess, content: str, **fields: object) -> str:
    messages = [{"role": "user", "content": content}]
    answer = product.chat({"model": FP8, "messages": messages, "stream": True, **fields})
    assert answer.status_code == 200
    return answer.text


def test_stream_begins_before_the_upstream_and_beats_until_it_speaks(product: GatewayProcess) -> None:
    text = ask(product, "Reply with the single word: pong [[sim: delay=0.6]]")
    assert text.startswith("data: ")
    assert ": ping\n" in text
    assert '"content":"pong"' in text
    assert text.count('"role":"assistant"') == 1
    assert text.endswith("data: [DONE]\n\n")


def test_stream_that_has_begun_gets_its_error_inside(product: GatewayProcess) -> None:
    text = ask(product, "Hello [[sim: error=3040 delay=0.5]]")
    assert "server_is_overloaded" in text
    assert text.endswith("data: [DONE]\n\n")
    assert '"finish_reason":"stop"' not in text


def test_error_that_comes_in_time_keeps_its_status(product: GatewayProcess) -> None:
    body = {"model": "gpt-9", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    assert product.chat(body).status_code == 404


def test_parameter_out_of_a_models_range_is_refused_where_configured(product: GatewayProcess) -> None:
    body = {"model": FP8, "messages": [{"role": "user", "content": "Hello"}], "presence_penalty": -1}
    refused = product.chat(body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "presence_penalty")
    too_many = product.chat(body | {"presence_penalty": 1, "n": 3})
    assert (too_many.status_code, too_many.json()["error"]["code"]) == (400, "integer_above_max_value")
