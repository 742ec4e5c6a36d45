"""Refusals: every envelope, every code of the published and observed tables, and nothing secret in any message."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.upstream_cases import ROOT, load, names

from gateway.upstreams.workers_ai.refusals import KINDS, failure, scrub

# code, HTTP status it comes with, kind
CODES = [
    (971, 429, "rate_limited"),
    (2001, 400, "not_authorized"),
    (2003, 429, "rate_limited"),
    (2008, 400, "retired"),
    (2009, 401, "not_authorized"),
    (2014, 408, "server_error"),
    (2021, 402, "quota"),
    (2045, 429, "quota"),
    (3001, 500, "server_error"),
    (3003, 400, "rejected"),
    (3006, 413, "rejected"),
    (3007, 408, "server_error"),
    (3008, 408, "server_error"),
    (3010, 413, "too_long"),
    (3023, 403, "not_authorized"),
    (3030, 400, "rejected"),
    (3036, 429, "quota"),
    (3039, 400, "rejected"),
    (3040, 429, "capacity"),
    (3041, 403, "not_authorized"),
    (3042, 404, "retired"),
    (3043, 500, "server_error"),
    (3046, 408, "server_error"),
    (4006, 429, "quota"),
    (5004, 400, "rejected"),
    (5005, 405, "rejected"),
    (5006, 400, "rejected"),
    (5007, 400, "retired"),
    (5016, 403, "not_authorized"),
    (5018, 403, "not_authorized"),
    (5019, 405, "rejected"),
    (5021, 413, "too_long"),
    (5023, 400, "unmet"),
    (5024, 400, "unmet"),
    (5025, 400, "unmet"),
    (5028, 410, "retired"),
    (5035, 403, "not_authorized"),
    (7000, 400, "rejected"),
    (7003, 404, "retired"),
    (8001, 400, "rejected"),
    (8005, 500, "server_error"),
    (8007, 400, "rejected"),
    (10000, 401, "not_authorized"),
    (10000, 403, "not_authorized"),
    (10429, 429, "rate_limited"),
]

STATUSES = [
    (200, "server_error"),
    (302, "server_error"),
    (400, "rejected"),
    (401, "not_authorized"),
    (402, "quota"),
    (403, "not_authorized"),
    (404, "rejected"),
    (405, "rejected"),
    (408, "server_error"),
    (409, "server_error"),
    (410, "retired"),
    (413, "too_long"),
    (422, "rejected"),
    (429, "rate_limited"),
    (500, "server_error"),
    (503, "server_error"),
    (524, "server_error"),
]


@pytest.mark.parametrize("name", names("refusals"))
def test_failure_case_gives_what_its_file_says(name: str) -> None:
    case = load("refusals", name)
    found = failure(case["status"], case["headers"], case["body"].encode())
    assert found.status == case["status"]
    for field, expected in case["expect"].items():
        assert getattr(found, field) == expected, field


@pytest.mark.parametrize(("code", "status", "kind"), CODES)
def test_failure_code_decides_the_kind_whatever_the_status(code: int, status: int, kind: str) -> None:
    body = json.dumps({"errors": [{"code": code, "message": "AiError: m"}], "success": False, "result": {}}).encode()
    for given_status in (status, 400, 500, 200):
        found = failure(given_status, {}, body)
        assert (found.kind, found.code, found.message) == (kind, code, "m")


def test_failure_code_table_is_the_tested_one() -> None:
    assert {code: kind for code, _, kind in CODES} == KINDS


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_failure_without_a_known_code_is_told_by_its_status(status: int, kind: str) -> None:
    for body in (b"", b"<html></html>", b'{"errors":[{"code":123456,"message":"?"}]}', b'{"success":false}'):
        assert failure(status, {}, body).kind == kind


@given(st.integers(100, 599), st.binary(max_size=80))
def test_failure_of_any_bytes_never_raises(status: int, body: bytes) -> None:
    assert failure(status, {}, body).message


@pytest.mark.parametrize("body", [b'{"errors":"\xff"}', b'{"errors":[{"message":"\xff"}]}', b'{"message":"\\ud83d"}'])
def test_failure_with_broken_characters_is_told_by_its_status(body: bytes) -> None:
    assert failure(502, {}, body).kind == "server_error"


@given(st.text(), st.text("0123456789abcdef", min_size=32, max_size=32), st.text())
def test_scrub_hides_an_account_id_between_any_words(before: str, account: str, after: str) -> None:
    assert account not in scrub(f"{before} {account} {after}")
    assert account not in scrub(f"{before} /accounts/{account}/ai {after}")


def test_scrub_keeps_request_ids_and_model_names() -> None:
    text = "c627d6a0-6f0e-4d95-9971-262cc522d39f @cf/meta/llama-3.1-8b-instruct-fp8-fast-with-a-very-long-name-v2"
    assert scrub(text) == text


def test_refusals_page_lists_every_code_under_its_kind() -> None:
    page = (ROOT.parent.parent.parent / "docs" / "upstream.md").read_text()
    listed: dict[int, str] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1].strip("`") in KINDS.values():
            listed |= {int(code): cells[1].strip("`") for code in cells[2].split(", ")}
    assert listed == KINDS
