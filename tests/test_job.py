"""What a request's headers and row say of it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.jobs import CREATED_MS, MODEL, make_call, make_job

from gateway.config.load import load
from gateway.core.answer import Failure, Usage
from gateway.core.errors import InvalidKey, RateLimited, StoreAway
from gateway.core.rates import Rate
from gateway.core.tally import Consumption, Timing
from gateway.job import END_REASONS, Job, Request
from gateway.relay import AsgiEvent, Exchange, Headers
from gateway.surfaces import SURFACES

CONSUMED = Consumption(Usage(40, 9, 3, 1.5), "reported")


def job(**fields: Any) -> Job:  # any field of a job
    async def made() -> Job:
        return make_job(make_call(tags=(("user", "u1"),)), **fields)

    return asyncio.run(made())


def fields_of(headers: Headers) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


async def receive() -> AsgiEvent:
    raise AssertionError("nothing is received here")


async def send(_: AsgiEvent) -> None:
    raise AssertionError("nothing is sent here")


def request(made: Job | None) -> Request:
    credentials = {"CLOUDFLARE_ACCOUNT_ID": "a" * 32, "CLOUDFLARE_API_TOKEN": "t" * 40}
    settings = load("", credentials, Path("/"), demo=False)
    exchange = Exchange({"type": "http", "headers": []}, receive, send)
    return Request("req_1", exchange, SURFACES["/v1/chat/completions"], settings, "simulator", 10.0, made)


def test_end_reasons_name_the_end_of_every_finish() -> None:
    assert dict(END_REASONS) == {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "stop",
    }


def test_timing_is_milliseconds_from_the_arrival() -> None:
    made = job(arrived=100.0)
    assert made.timing(100.25, 101.5) == Timing(250, 1250)


def test_headers_of_a_job_name_model_route_and_reason() -> None:
    found = fields_of(job().headers())
    assert (found["x-gateway-model"], found["x-gateway-route"]) == (MODEL.id, MODEL.id)
    assert found["x-gateway-reason"].isprintable()
    assert "x-gateway-ignored" not in found
    assert "x-gateway-upstream-code" not in found


def test_headers_of_a_job_name_each_ignored_parameter_once_and_in_ascii() -> None:
    found = fields_of(job(ignored=("store", "messages[].é", "store")).headers())
    assert found["x-gateway-ignored"] == "store, messages[].?"


def test_headers_of_a_job_tell_the_last_refusal_of_the_upstream() -> None:
    made = job()
    made.tally.failed(made.candidate, Failure("capacity", "m", 429, 3040, "cf-1"), Timing(0, 1))
    made.tally.failed(made.candidate, Failure("connect", "m"), Timing(1, 1))
    made.tally.answered(made.candidate, made.price, CONSUMED, "stop", Timing(2, 1))
    found = fields_of(made.headers())
    assert (found["x-gateway-upstream-code"], found["x-gateway-upstream-request-id"]) == ("3040", "cf-1")
    assert found["x-gateway-attempts"] == "3"


def test_receipt_is_what_happened() -> None:
    made = job(arrived=100.0, first_byte=100.5, end="stop", status=200)
    made.tally.answered(made.candidate, made.price, CONSUMED, "stop", Timing(0, 9))
    row = made.receipt(101.0)
    assert (row.id, row.created_ms, row.end_reason, row.status) == (made.id, CREATED_MS, "stop", 200)
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (40, 9, 3)
    assert (row.latency_ms, row.ttft_ms, row.neurons_nano) == (1000, 500, 1_500_000_000)
    assert (row.tags, row.upstream, row.route) == ({"user": "u1"}, "simulator", MODEL.id)


def test_receipt_without_a_first_byte_has_no_time_of_it() -> None:
    assert job(arrived=100.0).receipt(101.0).ttft_ms is None


def test_receipt_of_a_job_never_held_is_impossible() -> None:
    with pytest.raises(AssertionError, match="never held"):
        job(held=None).receipt(1.0)


def test_headers_of_a_request_before_and_after_it_is_a_job() -> None:
    assert fields_of(request(None).headers(10.5)) == {
        "x-request-id": "req_1",
        "openai-processing-ms": "500",
        "x-gateway-upstream": "simulator",
        "x-gateway-attempts": "0",
    }
    made = replace(job(), id="req_1")
    assert fields_of(request(made).headers(10.5))["x-gateway-model"] == MODEL.id


def test_untold_is_who_is_refused_before_a_hold_by_a_store_that_answers() -> None:
    made = job()
    for refusal, is_untold in (
        (None, False),
        (RateLimited("no turn at the account"), True),
        (InvalidKey("revoked"), False),
        (StoreAway("nobody could say"), False),
    ):
        early = request(None)
        early.identity, early.refusal = made.identity, refusal
        assert early.untold is (made.identity if is_untold else None)
    late = request(replace(made, rates=(Rate("requests", 5, 0, 10),)))
    late.identity, late.refusal = made.identity, RateLimited("a limit")
    assert late.untold is None  # the hold's answer has said it
