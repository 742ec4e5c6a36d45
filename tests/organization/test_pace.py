"""Percentiles over HTTP."""

import httpx2
import pytest
from msgspec.structs import replace
from support.admin_gateway import AdminGateway, a_receipt

from gateway.ledger.pace import DAY_SECONDS, pace_commands

DAY = 1_767_225_600
FAST, SLOW = "@cf/meta/fast", "@cf/meta/slow"


def put(gateway: AdminGateway, model: str, project: str, ttft_ms: int, count: int) -> None:
    """Streams of 100 tokens in the second after the first."""
    row = a_receipt(created_ms=DAY * 1000, model=model, project_id=project, completion_tokens=101)
    stream = replace(row, stream=True, ttft_ms=ttft_ms, latency_ms=ttft_ms + 1000)
    for command in pace_commands(gateway.layout, [stream] * count):
        gateway.redis.execute_command(*command)


def test_pace_tells_all_models_and_each(gateway: AdminGateway, http: httpx2.Client) -> None:
    put(gateway, FAST, "proj_1", 100, 90)
    put(gateway, SLOW, "proj_2", 2000, 10)
    found = http.get("/pace", params={"start_time": DAY, "end_time": DAY + DAY_SECONDS}).json()["data"]
    assert [(each["model"], each["requests"]) for each in found] == [(None, 100), (FAST, 90), (SLOW, 10)]
    together = found[0]
    assert together["first_token_ms_p50"] == pytest.approx(100, rel=0.08)
    assert together["first_token_ms_p95"] == pytest.approx(2000, rel=0.08)
    assert together["tokens_per_second_p50"] == pytest.approx(100, rel=0.08)
    one = http.get("/pace", params={"start_time": DAY, "end_time": DAY + 1, "project_ids[]": "proj_2"}).json()["data"]
    assert [each["model"] for each in one] == [None, SLOW]
    none = http.get("/pace", params={"start_time": DAY - DAY_SECONDS, "end_time": DAY}).json()["data"]
    assert none == [{**none[0], "model": None, "requests": 0, "first_token_ms_p50": None}]


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({}, "start_time"),
        ({"start_time": DAY, "end_time": DAY - 5}, "end_time"),
        ({"start_time": DAY, "end_time": DAY + 400 * DAY_SECONDS}, "end_time"),
        ({"start_time": DAY, "project_ids": ["a", "b"], "end_time": DAY + 1}, "project_ids"),
        ({"start_time": DAY, "colour": "red"}, "colour"),
    ],
)
def test_question_that_makes_no_sense_is_refused(
    http: httpx2.Client, parameters: dict[str, object], param: str
) -> None:
    refused = http.get("/pace", params=parameters)  # type: ignore[arg-type]  # numbers and lists, as httpx takes them
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
