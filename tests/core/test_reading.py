"""Bodies become calls, or refusals a client can act on."""

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.reading import read_call
from gateway.surfaces import SURFACES

CHAT = SURFACES["/v1/chat/completions"]
BODY = b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}], "n": 3}'


def test_read_call_takes_a_body_in_the_surfaces_dialect() -> None:
    call = read_call(CHAT, BODY, max_choices=3)
    assert (call.requested_model, call.n) == ("auto", 3)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b"{} {}", b'{"mess\xe1ges": 1}'])
def test_read_call_of_no_json_says_so(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_call(CHAT, body, max_choices=3)
    assert "not valid JSON" in caught.value.message


def test_read_call_with_more_choices_than_allowed_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_call(CHAT, BODY, max_choices=2)
    assert (caught.value.param, caught.value.code) == ("n", "integer_above_max_value")


@pytest.mark.parametrize("model", ["", '"model": null, ', '"model": "", '])
def test_read_call_without_a_model_asks_for_the_default(model: str) -> None:
    body = b'{%b"messages": [{"role": "user", "content": "hi"}]}' % model.encode()
    assert read_call(CHAT, body, 1, "auto").requested_model == "auto"
    with pytest.raises(InvalidRequest) as caught:
        read_call(CHAT, body, 1)
    assert caught.value.message == "you must provide a model parameter"


def test_read_call_with_a_model_keeps_it() -> None:
    assert read_call(CHAT, BODY, 3, "other").requested_model == "auto"
