"""Usage and costs over real roll-ups and rows, by the official SDK and, for the exact text, without it."""

from datetime import UTC, datetime

import httpx2
import openai
import pytest
from support.admin_gateway import AdminGateway

DAY = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
NOON = DAY + 12 * 3600
FAST = "@cf/meta/llama-3.1-8b-instruct-fast"


@pytest.fixture
def filled(gateway: AdminGateway) -> AdminGateway:
    """Two projects, three keys, two models, on the first and the third of January."""
    gateway.add_row(created_ms=NOON * 1000, cached_tokens=30)
    gateway.add_row(created_ms=(NOON + 59) * 1000 + 999, api_key_id="key_2")
    gateway.add_row(created_ms=(NOON + 60) * 1000, model=FAST, cost_nano=60_000_000)
    gateway.add_row(created_ms=(DAY + 2 * 86400) * 1000, project_id="proj_2", api_key_id="key_3", prompt_tokens=7)
    return gateway


def test_usage_days_lists_empty_buckets_and_sums(filled: AdminGateway, client: openai.OpenAI) -> None:
    page = client.admin.organization.usage.completions(start_time=NOON, end_time=DAY + 3 * 86400)
    assert (page.object, page.has_more, page.next_page) == ("page", False, None)
    assert [bucket.start_time for bucket in page.data] == [DAY, DAY + 86400, DAY + 2 * 86400]
    assert [bucket.end_time - bucket.start_time for bucket in page.data] == [86400] * 3
    assert page.data[1].results == []
    (result,) = page.data[0].results
    assert result.object == "organization.usage.completions.result"
    assert (result.input_tokens, result.output_tokens, result.num_model_requests) == (300, 60, 3)
    assert (result.input_cached_tokens, result.input_uncached_tokens) == (30, 270)
    assert (result.project_id, result.api_key_id, result.model, result.batch) == (None, None, None, None)


@pytest.mark.parametrize("brackets", ["", "[]"])
def test_usage_grouped_splits_by_every_dimension_asked(
    filled: AdminGateway, http: httpx2.Client, brackets: str
) -> None:
    groups = ["project_id", "api_key_id", "model"]
    page = http.get("/usage/completions", params={"start_time": DAY, f"group_by{brackets}": groups}).json()
    results = [result for bucket in page["data"] for result in bucket["results"]]
    found = {(each["project_id"], each["api_key_id"], each["model"]): each["input_tokens"] for each in results}
    fp8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
    assert found == {
        ("proj_1", "key_1", fp8): 100,
        ("proj_1", "key_1", FAST): 100,
        ("proj_1", "key_2", fp8): 100,
        ("proj_2", "key_3", fp8): 7,
    }


@pytest.mark.parametrize(
    ("filters", "requests"),
    [
        ({"project_ids": ["proj_1"]}, 3),
        ({"project_ids": ["proj_1", "proj_2"]}, 4),
        ({"api_key_ids": ["key_1"]}, 2),
        ({"api_key_ids": ["key_1"], "models": [FAST]}, 1),
        ({"models": ["nope"]}, 0),
        ({"user_ids": ["user_1"]}, 0),
        ({"batch": True}, 0),
        ({"batch": False}, 4),
    ],
)
@pytest.mark.parametrize("width", ["1m", "1h", "1d"])
def test_usage_filters_count_the_same_at_every_width(
    filled: AdminGateway, client: openai.OpenAI, filters: dict[str, object], requests: int, width: str
) -> None:
    end = DAY + 3 * 86400
    count, page = 0, None
    while page is None or page.has_more:
        page = client.admin.organization.usage.completions(
            start_time=DAY, end_time=end, limit={"1m": 1440, "1h": 72, "1d": 3}[width],
            extra_query={"bucket_width": width, **({"page": page.next_page} if page else {})}, **filters,  # type: ignore[arg-type] # a table of parameters
        )  # fmt: skip
        count += sum(getattr(each, "num_model_requests", 0) for bucket in page.data for each in bucket.results)
    assert count == requests


def test_usage_minutes_put_a_row_into_its_own_minute(filled: AdminGateway, http: httpx2.Client) -> None:
    query: dict[str, str | int] = {"start_time": NOON, "end_time": NOON + 120, "bucket_width": "1m"}
    buckets = http.get("/usage/completions", params=query).json()["data"]
    found = [
        (each["start_time"] - NOON, [result["num_model_requests"] for result in each["results"]]) for each in buckets
    ]
    assert found == [(0, [2]), (60, [1])]


def test_usage_pages_meet_without_gap_or_overlap(filled: AdminGateway, client: openai.OpenAI) -> None:
    usage = client.admin.organization.usage
    whole = usage.completions(start_time=DAY, end_time=DAY + 5 * 86400, limit=31)
    first = usage.completions(start_time=DAY, end_time=DAY + 5 * 86400, limit=2)
    assert first.has_more
    assert first.next_page is not None
    second = usage.completions(start_time=DAY, end_time=DAY + 5 * 86400, limit=2, page=first.next_page)
    assert second.next_page is not None
    third = usage.completions(start_time=DAY, end_time=DAY + 5 * 86400, limit=2, page=second.next_page)
    assert (third.has_more, third.next_page) == (False, None)
    assert first.data + second.data + third.data == whole.data


def test_usage_single_valued_groups_name_their_only_value(filled: AdminGateway, http: httpx2.Client) -> None:
    groups = ["batch", "service_tier", "user_id"]
    page = http.get("/usage/completions", params={"start_time": DAY, "group_by": groups}).json()
    (result,) = page["data"][0]["results"]
    assert (result["batch"], result["service_tier"], result["user_id"]) == (False, "default", None)


def test_costs_amount_is_written_without_binary_noise(filled: AdminGateway, http: httpx2.Client) -> None:
    answer = http.get("/costs", params={"start_time": DAY, "end_time": DAY + 86400})
    assert '"amount":{"value":0.06004188,"currency":"usd"}' in answer.text


def test_costs_by_project_and_line_item(filled: AdminGateway, client: openai.OpenAI) -> None:
    page = client.admin.organization.usage.costs(start_time=DAY, group_by=["line_item", "project_id"], limit=180)
    results = [each for bucket in page.data for each in bucket.results]
    found = [
        (each.project_id, each.line_item, each.amount.value if each.amount else None, each.quantity)
        for each in results
        if each.object == "organization.costs.result"
    ]
    fp8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
    assert sorted(found, key=str) == [
        ("proj_1", FAST, 0.06, 120),
        ("proj_1", fp8, 0.00004188, 240),
        ("proj_2", fp8, 0.00002094, 27),
    ]
    line = client.admin.organization.usage.costs(start_time=DAY, end_time=DAY + 1, line_items=[FAST])
    assert [
        each.amount.value for each in line.data[0].results if each.object == "organization.costs.result" and each.amount
    ] == [0.06]


@pytest.mark.parametrize(
    ("path", "query", "param", "code"),
    [
        ("/usage/completions", "", "start_time", "missing_required_parameter"),
        ("/usage/completions", "start_time=x", "start_time", "invalid_type"),
        ("/usage/completions", "start_time=-1", "start_time", "integer_below_min_value"),
        ("/usage/completions", "start_time=5&end_time=5", "end_time", "invalid_value"),
        ("/usage/completions", "start_time=5&bucket_width=1w", "bucket_width", "invalid_value"),
        ("/usage/completions", "start_time=5&limit=32", "limit", "integer_above_max_value"),
        ("/usage/completions", "start_time=5&bucket_width=1h&limit=169", "limit", "integer_above_max_value"),
        ("/usage/completions", "start_time=5&limit=0", "limit", "integer_below_min_value"),
        ("/usage/completions", "start_time=5&group_by[]=line_item", "group_by", "invalid_value"),
        ("/usage/completions", "start_time=5&page=x", "page", "invalid_value"),
        ("/usage/completions", "start_time=5&page=page_17", "page", "invalid_value"),
        ("/usage/completions", "start_time=5&batch=perhaps", "batch", "invalid_value"),
        ("/usage/completions", "start_time=5&project_id=proj_1", "project_id", "unknown_parameter"),
        ("/costs", "start_time=5&bucket_width=1h", "bucket_width", "invalid_value"),
        ("/costs", "start_time=5&models=x", "models", "unknown_parameter"),
        ("/costs", "start_time=5&limit=181", "limit", "integer_above_max_value"),
    ],
)
def test_reports_bad_parameter_is_refused_by_name(
    http: httpx2.Client, path: str, query: str, param: str, code: str
) -> None:
    answer = http.get(f"{path}?{query}")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["param"], error["code"]) == (param, code)
