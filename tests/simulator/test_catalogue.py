"""The model catalogue and the usage analytics."""

from typing import Any

import pytest

from gateway.simulator.catalogue import analytics, search
from gateway.simulator.models import MODELS
from gateway.simulator.record import DayUse


def test_search_pages_through_all_models() -> None:
    names: list[str] = []
    for page in (1, 2, 3):
        answer = search(MODELS, {"per_page": "4", "page": str(page)})
        assert answer["result_info"]["total_pages"] == 3
        names += [entry["name"] for entry in answer["result"]]
    assert names == [model.id for model in MODELS]


def test_search_narrows_by_text_and_task() -> None:
    assert [entry["name"] for entry in search(MODELS, {"search": "FP8-fast"})["result"]] == [
        "@cf/meta/llama-3.1-8b-instruct-fp8-fast"
    ]
    assert search(MODELS, {"task": "Text-to-Image"})["result"] == []
    assert search(MODELS, {"page": "x", "per_page": "-1"})["result_info"]["page"] == 1


def test_search_tells_window_price_and_deprecation() -> None:
    entry = search(MODELS, {"search": "@hf/"})["result"][0]
    properties = {item["property_id"]: item["value"] for item in entry["properties"]}
    assert properties["context_window"] == "8192"
    assert properties["price"][1] == {"unit": "per M output tokens", "price": 0.827, "currency": "USD"}
    assert properties["planned_deprecation_date"] == "2026-05-30"


DAYS = {
    ("2027-01-01", "a"): DayUse(1, 10, 5, 1.0),
    ("2027-01-02", "a"): DayUse(2, 20, 10, 2.0),
    ("2027-01-02", "b"): DayUse(3, 30, 15, 4.0),
}
QUERY = "{viewer{accounts(filter:{accountTag:$t}){aiInferenceAdaptiveGroups(limit:10%s){count %s sum{totalNeurons}}}}}"


def rows(filter_text: str, dimensions: str, variables: Any = None) -> list[Any]:
    body = {"query": QUERY % (filter_text, dimensions), "variables": variables}
    answer = analytics(DAYS, body)
    assert answer["errors"] is None
    found: list[Any] = answer["data"]["viewer"]["accounts"][0]["aiInferenceAdaptiveGroups"]
    return found


@pytest.mark.parametrize(
    ("filter_text", "variables", "neurons"),
    [
        ("", None, 7.0),
        (',filter:{date:"2027-01-02"}', None, 6.0),
        (",filter:{date_geq:$s,date_leq:$e}", {"s": "2027-01-01", "e": "2027-01-01"}, 1.0),
        (",filter:{datetimeHour_geq:$s}", {"s": "2027-01-02T00:00:00Z"}, 6.0),
        (",filter:{date_gt:$s}", {"s": "2027-01-01"}, 6.0),
        (",filter:{date_lt:$s}", {"s": "2027-01-02"}, 1.0),
        (",filter:$filter", {"filter": {"date_geq": "2027-01-02", "modelId": "x"}}, 6.0),
    ],
)
def test_analytics_sums_within_the_days(filter_text: str, variables: Any, neurons: float) -> None:
    assert sum(row["sum"]["totalNeurons"] for row in rows(filter_text, "", variables)) == neurons


def test_analytics_groups_by_the_asked_dimensions() -> None:
    assert len(rows("", "")) == 1
    assert [row["dimensions"] for row in rows("", "dimensions{modelId}")] == [{"modelId": "a"}, {"modelId": "b"}]
    by_both = rows("", "dimensions { date modelId }")
    assert [(row["dimensions"]["date"], row["sum"]["totalInputTokens"], row["count"]) for row in by_both] == [
        ("2027-01-01", 10, 1),
        ("2027-01-02", 20, 2),
        ("2027-01-02", 30, 3),
    ]


def test_analytics_uses_an_alias() -> None:
    body = {"query": "{viewer{accounts{ai: aiInferenceAdaptiveGroups(limit:1){sum{totalNeurons}}}}}"}
    assert analytics(DAYS, body)["data"]["viewer"]["accounts"][0]["ai"][0]["sum"]["totalNeurons"] == 7.0


def test_analytics_of_another_dataset_is_an_error() -> None:
    assert analytics(DAYS, {"query": "{viewer{zones{x}}}"})["errors"]
