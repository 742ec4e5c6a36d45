"""What a chat completion request becomes: files of cases, limits with numbers, and any JSON at all."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Call, Message
from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat.parameters import PARAMETERS
from gateway.surfaces.chat.parse import parse

CASES = Path(__file__).parents[2] / "cases" / "chat"
PLAIN = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
Case = dict[str, Any]  # one row of a case file
Json = Any  # whatever JSON can say


def rows(name: str) -> list[Case]:
    found: list[Case] = json.loads((CASES / name).read_text())
    return found


def body_of(case: Case) -> Json:
    return case["body"] if "body" in case else {**PLAIN, **case["with"]}


@pytest.mark.parametrize("case", rows("refused.json"), ids=lambda case: case["case"])
def test_parse_refused_case_names_code_param_and_text(case: Case) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(body_of(case))
    error = json.loads(caught.value.envelope())["error"]
    assert (error["code"], error["param"]) == (case["code"], case["param"])
    assert error["message"].startswith(case["message"])
    assert error["type"] == "invalid_request_error"
    assert caught.value.status == 400


@pytest.mark.parametrize("case", rows("accepted.json"), ids=lambda case: case["case"])
def test_parse_accepted_case_gives_the_call(case: Case) -> None:
    call = parse(body_of(case))
    said = json.loads(msgspec.json.encode(call))
    assert {name: said[name] for name in case["call"]} == case["call"]
    assert (call.surface, call.requested_model) == ("chat", "m")


def test_parse_each_parameter_has_a_case() -> None:
    cases = rows("refused.json") + rows("accepted.json")
    tried = {name for case in cases for name in case.get("with", {}) or case.get("body") or ()}
    assert {parameter.name for parameter in PARAMETERS} <= tried


@pytest.mark.parametrize(
    ("field", "most", "item"),
    [
        ("messages", 2048, {"role": "user", "content": "x"}),
        ("tools", 128, {"name": "f"}),
        ("functions", 128, {"name": "f"}),
    ],
)
def test_parse_array_at_its_limit_accepted_beyond_refused(field: str, most: int, item: Json) -> None:
    parse({**PLAIN, field: [item] * most})
    with pytest.raises(
        InvalidRequest, match=f"maximum length {most}, but got an array with length {most + 1}"
    ) as caught:
        parse({**PLAIN, field: [item] * (most + 1)})
    assert (caught.value.code, caught.value.param) == ("array_above_max_length", field)


def test_parse_long_model_name_refused() -> None:
    parse({**PLAIN, "model": "m" * 256})
    with pytest.raises(InvalidRequest) as caught:
        parse({**PLAIN, "model": "m" * 257})
    assert (caught.value.code, caught.value.param) == ("string_above_max_length", "model")


def test_parse_many_unknown_fields_lists_some_and_says_so() -> None:
    call = parse({**PLAIN, **{f"x{number}": 1 for number in range(40)}})
    assert call.ignored == (*(f"x{number}" for number in range(32)), "(and-more)")


def test_parse_deep_schema_refused() -> None:
    schema: Json = {}
    for _ in range(120):
        schema = {"items": schema}
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        parse({**PLAIN, "tools": [{"name": "f", "parameters": schema}]})


def test_parse_huge_number_is_described_not_printed() -> None:
    with pytest.raises(InvalidRequest, match="integer of 16610 bits"):
        parse({**PLAIN, "seed": 10**5000})


def test_parse_long_word_is_cut_in_the_error() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse({**PLAIN, "messages": [{"role": "r" * 100_000, "content": ""}]})
    assert len(caught.value.message) < 300


@given(st.sampled_from(["temperature", "top_p"]), st.floats(0, 1))
def test_parse_decimal_within_range_carried_unchanged(name: str, value: float) -> None:
    assert getattr(parse({**PLAIN, name: value}).sampling, name) == value


@given(st.text(), st.sampled_from(["user", "system", "assistant"]))
def test_parse_plain_message_keeps_the_text(text: str, role: Json) -> None:
    assert parse({**PLAIN, "messages": [{"role": role, "content": text}]}).messages == (Message(role, text),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["auto", "user"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
ROLES = ("system", "user", "assistant", "tool", "function", "developer")
CHOICES = ("auto", "none", "required", "any", "allowed_tools", "custom", "f", "g")
KINDS = ("text", "refusal", "image_url", "json_object", "json_schema", "object", "string", "json")
WORDS = st.sampled_from([*ROLES, *CHOICES, *KINDS])


def shaped(**fields: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Objects with some of these members, now and then of any kind."""
    return st.fixed_dictionaries({}, optional={name: value | JSON for name, value in fields.items()})


FUNCTION = shaped(name=WORDS, arguments=st.just("{}") | JSON, description=WORDS, parameters=JSON, strict=st.booleans())
TOOL = shaped(type=WORDS, function=FUNCTION, name=WORDS, parameters=JSON, code=st.none())
PART = shaped(type=WORDS, text=WORDS, refusal=WORDS)
MESSAGE = shaped(
    role=WORDS,
    content=WORDS | st.none() | st.lists(PART, max_size=3),
    name=WORDS,
    tool_call_id=WORDS,
    refusal=WORDS | st.none(),
    tool_calls=st.lists(shaped(id=WORDS, type=WORDS, function=FUNCTION), max_size=3),
    function_call=FUNCTION,
)
CHOICE = WORDS | shaped(
    type=WORDS,
    function=FUNCTION,
    mode=WORDS,
    tools=st.lists(TOOL),
    allowed_tools=shaped(mode=WORDS, tools=st.lists(TOOL)),
)
FORMAT = shaped(type=WORDS, json_schema=shaped(name=WORDS, schema=shaped(type=WORDS, properties=JSON, items=JSON)))
BODY = st.fixed_dictionaries(
    {"model": st.just("m") | JSON, "messages": st.lists(MESSAGE, max_size=5) | JSON},
    optional={
        **{parameter.name: JSON for parameter in PARAMETERS if parameter.name not in ("model", "messages")},
        "tools": st.lists(TOOL, max_size=3) | JSON,
        "functions": st.lists(FUNCTION, max_size=3) | JSON,
        "tool_choice": CHOICE | JSON,
        "function_call": CHOICE | JSON,
        "response_format": FORMAT | JSON,
        "stream_options": shaped(include_usage=st.booleans()) | JSON,
        "metadata": st.dictionaries(WORDS, WORDS) | JSON,
    },
)


def outcome(body: Json) -> Call | InvalidRequest:
    """What parse makes of a body; any other exception is a failure of the test."""
    try:
        return parse(body)
    except InvalidRequest as error:
        return error


@given(BODY | JSON)
def test_parse_any_json_gives_a_call_or_invalid_request(body: Json) -> None:
    found = outcome(body)
    if isinstance(found, InvalidRequest):
        assert set(json.loads(found.envelope())["error"]) == {"message", "type", "param", "code"}
        assert found.status == 400
        return
    assert all(name.isascii() and name.isprintable() for name in found.ignored)
    assert all(message.role in ("system", "user", "assistant", "tool") for message in found.messages)
    assert msgspec.json.encode(found)


OPTIONAL = sorted({parameter.name for parameter in PARAMETERS} - {"model", "messages"})


@given(st.dictionaries(st.sampled_from(OPTIONAL), JSON, max_size=3))
def test_parse_one_wrong_parameter_is_named(extra: Case) -> None:
    found = outcome({**PLAIN, **extra})
    if isinstance(found, InvalidRequest):
        assert found.param is not None
        assert found.param == "messages" or found.param.startswith(tuple(extra))
