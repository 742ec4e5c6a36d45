"""Refusals and their envelopes."""

import json
from typing import Any, get_args

import pytest

from gateway.simulator.errors import REFUSALS, Envelope, Refusal, body, content_type, refusal, through_gateway, too_long

ID = "c627d6a0-6f0e-4d95-9971-262cc522d39f"

STATUSES = {
    971: 429, 3006: 413, 3007: 408, 3036: 429, 3040: 429, 3042: 404, 3043: 500, 3046: 408, 4006: 429, 5005: 405,
    5006: 400, 5007: 400, 5018: 403, 5021: 413, 5025: 400, 5028: 410, 5035: 403, 7000: 400, 10000: 401, 10429: 429,
}  # fmt: skip


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_refusal_of_a_code_has_its_status(code: int, status: int) -> None:
    assert refusal(code).status == status


def test_refusal_of_an_unknown_code_is_a_server_error() -> None:
    assert refusal(1).status == 500


@pytest.mark.parametrize("code", REFUSALS)
def test_body_of_every_code_is_json_that_names_it(code: int) -> None:
    given = refusal(code, "@cf/x", "why")
    text = body(given, ID).decode()
    json.loads(text)
    assert given.envelope == "E" or str(code) in text
    assert "{model}" not in text
    assert "{detail}" not in text


def shape(envelope: Any) -> Any:
    return json.loads(body(Refusal(3040, 429, "AiError: busy", envelope), ID))


def test_body_in_each_envelope_has_its_keys() -> None:
    assert shape("A") == {
        "errors": [{"message": f"AiError: busy ({ID})", "code": 3040}],
        "success": False,
        "result": {},
        "messages": [],
    }
    assert shape("B")["result"] is None
    assert shape("C")["internalCode"] == 3040
    assert shape("C")["description"] == "busy"
    assert shape("D")["error"] == [{"code": 3040, "message": "AiError: busy"}]
    assert shape("E") == {"error": {"message": "AiError: busy", "type": "gateway_error", "code": None}}
    assert shape("F")["errors"]["code"] == 3040
    assert '{"error":{"message":"busy"' in shape("G")["errors"][0]["message"]


@pytest.mark.parametrize("envelope", get_args(Envelope))
def test_content_type_fits_the_envelope(envelope: Any) -> None:
    given = Refusal(0, 502, "Bad gateway", envelope)
    is_json = content_type(given) == "application/json"
    assert is_json == body(given, ID).startswith(b"{")


def test_body_as_page_text_or_nothing_is_not_json() -> None:
    assert b"<title>502 Bad gateway" in body(Refusal(0, 502, "Bad gateway", "html"), ID)
    assert body(Refusal(0, 502, "plain", "text"), ID) == b"plain"
    assert body(Refusal(0, 502, "plain", "empty"), ID) == b""


def test_too_long_names_both_numbers() -> None:
    text = too_long(5021, 155740, 128000).text
    assert text.endswith("tokens (155740) exceeded this model context window limit (128000).")


def test_through_gateway_changes_the_envelope() -> None:
    assert through_gateway(refusal(3040)).envelope == "C"
    assert through_gateway(refusal(10000)).code == 2009
    assert through_gateway(refusal(2003)) == refusal(2003)
