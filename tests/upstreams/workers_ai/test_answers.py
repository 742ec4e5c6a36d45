"""Complete answers: every golden case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.upstream_cases import call_of, granted, load, names, same_id

from gateway.core.answer import Completion, Failure, ToolDelta, Usage
from gateway.upstreams.workers_ai.answers import collect, completion


@pytest.mark.parametrize("name", names("answers"))
def test_completion_case_gives_what_its_file_says(name: str) -> None:
    case = load("answers", name)
    found = completion(case["status"], case["headers"], case["body"].encode(), call_of(case), granted(case))
    expected = case["expect"]
    if "failure" in expected:
        assert isinstance(found, Failure)
        assert found.kind == expected["failure"]
        return
    assert isinstance(found, Completion)
    assert (found.text, found.finish_reason) == (expected["text"], expected["finish"])
    assert found.usage == (Usage(**expected["usage"]) if expected["usage"] else None)
    assert len(found.tool_calls) == len(expected["calls"])
    for made, (expected_id, call_name, arguments) in zip(found.tool_calls, expected["calls"], strict=True):
        assert same_id(expected_id, made.id)
        assert (made.name, made.arguments) == (call_name, arguments)


def test_completion_not_utf8_is_malformed() -> None:
    case = load("answers", "classic")
    found = completion(200, {}, b'{"result":{"response":"\xff"}}', call_of(case), 10)
    assert isinstance(found, Failure)
    assert found.kind == "malformed"


def test_completion_neurons_of_the_header_are_read_only_where_usage_lacks_them() -> None:
    call = call_of(load("answers", "classic"))
    body = b'{"result":{"response":"x","usage":{"prompt_tokens":1,"completion_tokens":2,"neurons":0.5}}}'
    found = completion(200, {"cf-ai-neurons": "9"}, body, call, 10)
    assert isinstance(found, Completion)
    assert found.usage == Usage(1, 2, 0, 0.5)
    body = body.replace(b',"neurons":0.5', b"")
    found = completion(200, {"cf-ai-neurons": "many"}, body, call, 10)
    assert isinstance(found, Completion)
    assert found.usage == Usage(1, 2)


def test_collect_pieces_gives_whole_calls() -> None:
    (made,) = collect([ToolDelta(0, "call_1", "f", "{"), ToolDelta(0, None, None, "}")])
    assert (made.id, made.name, made.arguments) == ("call_1", "f", "{}")


@given(st.integers(100, 599), st.binary(max_size=80))
def test_completion_of_any_bytes_never_raises(status: int, body: bytes) -> None:
    assert isinstance(completion(status, {}, body, call_of(load("answers", "classic")), 10), Completion | Failure)
