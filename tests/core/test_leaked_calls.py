"""Calls written as text: recovered where they are whole and offered, left alone everywhere else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.leaked_calls import may_be_call, recover

OFFERS = {"get_weather": frozenset({"city", "unit"}), "now": frozenset[str]()}

CALLS = [
    ('{"name": "get_weather", "parameters": {"city": "P", "x": 1.0}}', [("get_weather", '{"city": "P", "x": 1.0}')]),
    ('{"name":"get_weather","arguments":"{\\"city\\":1}"}', [("get_weather", '{"city":1}')]),
    ('{"name":"now","arguments":""}', [("now", "{}")]),
    ('{"name":"now","parameters":null}', [("now", "{}")]),
    (' \n{"type": "function", "name": "now", "parameters": {}}\n', [("now", "{}")]),
    ('{"type":"function","function":{"name":"now","arguments":{}}}', [("now", "{}")]),
    ('{"function":"now","parameters":{}}', [("now", "{}")]),
    ('{"id":"1","name":"get_weather","city":"Paris"}', [("get_weather", '{"city":"Paris"}')]),
    ('[{"name":"now","parameters":{}},{"name":"get_weather","parameters":{}}]', [("now", "{}"), ("get_weather", "{}")]),
    ('{"tool_calls":[{"name":"now","arguments":{}}]}', [("now", "{}")]),
    ('{"name":"now","parameters":{}}; {"name":"now","parameters":{}}', [("now", "{}"), ("now", "{}")]),
    ('{"name":"now","parameters":{}}\n{"name":"now","parameters":{}}', [("now", "{}"), ("now", "{}")]),
    ('<|python_tag|>{"name": "now", "parameters": {}}<|eom_id|>', [("now", "{}")]),
    ('```json\n{"name": "now", "parameters": {}}\n```', [("now", "{}")]),
    ('```\n[{"name": "now", "parameters": {}}]```', [("now", "{}")]),
    ('<function=get_weather>{"city": "x"}</function>', [("get_weather", '{"city": "x"}')]),
    ("<function=now>{}</function>\n<function=now>{}</function><|eot_id|>", [("now", "{}"), ("now", "{}")]),
]

TEXTS = [
    "",
    "  ",
    "Sure! {",
    "{",
    "[]",
    "42",
    "```json",
    '{"name": "delete_all", "parameters": {}}',
    '{"name": "now"}',
    '{"name": "get_weather", "planet": "Mars"}',
    '{"name": 5, "parameters": {}}',
    '{"name": "now", "parameters": [1]}',
    '{"name": "now", "parameters": "not json"}',
    '{"name": "now", "parameters": {"a": }',
    '{"name": "now", "parameters": {}} and then some',
    '[{"name": "now", "parameters": {}}, 5]',
    '{"parameters": {}}',
    "<function=now>{}",
    "<function=gone>{}</function>",
    '{"name": "now", "parameters": ' + "[" * 50_000,
    '{"name": "now", "parameters": {"n": NaN}}',
]


@pytest.mark.parametrize(("text", "calls"), CALLS)
def test_recover_text_of_calls_gives_them(text: str, calls: list[tuple[str, str]]) -> None:
    assert recover(text, OFFERS) == calls


@pytest.mark.parametrize(("text", "calls"), CALLS)
def test_may_be_call_every_beginning_of_a_call_is_one(text: str, calls: list[tuple[str, str]]) -> None:
    assert calls
    assert all(may_be_call(text[:at], OFFERS) for at in range(len(text) + 1))


@pytest.mark.parametrize("text", TEXTS)
def test_recover_other_text_gives_nothing(text: str) -> None:
    assert recover(text, OFFERS) == []


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "{}",
        '{"answer"',
        '{"name": "Bob"',
        '{"name": "b',
        '{"name": 7',
        "[1",
        "<functor",
        "<function=gone>",
        "<b>",
        "``x",
        "```python\nprint",
        "42",
    ],
)
def test_may_be_call_text_that_cannot_become_one_is_none(text: str) -> None:
    assert not may_be_call(text, OFFERS)


@given(st.text(max_size=40), st.text(max_size=5))
def test_may_be_call_once_false_stays_false(text: str, more: str) -> None:
    if not may_be_call(text, OFFERS):
        assert not may_be_call(text + more, OFFERS)
        assert recover(text + more, OFFERS) == []


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans(), max_size=4), st.booleans())
def test_recover_any_arguments_keeps_them(arguments: dict[str, object], in_string: bool) -> None:
    given_arguments = json.dumps(arguments) if in_string else arguments
    ((name, found),) = recover(json.dumps({"name": "now", "parameters": given_arguments}), OFFERS)
    assert name == "now"
    assert json.loads(found) == arguments
