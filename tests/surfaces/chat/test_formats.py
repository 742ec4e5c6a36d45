"""Response formats."""

import pytest

from gateway.core.call import Message
from gateway.core.errors import InvalidRequest
from gateway.surfaces.chat import formats


@pytest.mark.parametrize("text", ["Answer in JSON", "json", "as Json, please"])
def test_check_json_is_mentioned_any_case_any_message(text: str) -> None:
    formats.check_json_is_mentioned([Message("system", "x"), Message("user", text)])


def test_check_json_is_mentioned_nowhere_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        formats.check_json_is_mentioned([Message("user", "jason")])
    assert caught.value.param == "messages"


def test_read_response_format_own_description_of_the_schema_wins() -> None:
    wrapper = {"name": "x", "description": "outer", "schema": {"description": "inner"}}
    found = formats.read_response_format({"type": "json_schema", "json_schema": wrapper}, "response_format")
    assert found is not None
    assert found.schema == {"description": "inner"}
