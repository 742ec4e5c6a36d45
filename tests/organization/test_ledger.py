"""The ledger endpoints over rows in a real store."""

import httpx2
import pytest
from support.admin_gateway import AdminGateway

from gateway.core.receipt import Attempt

BASE_MS = 1_767_268_800_000
FIELDS = {
    "id", "created", "project_id", "api_key_id", "surface", "requested_model", "model", "prompt_tokens",
    "completion_tokens", "cost_nano", "neurons", "usage_source", "price_source", "end_reason", "status", "latency_ms",
    "ttft_ms", "upstream", "attempts",
}  # fmt: skip


def test_ledger_retrieve_shows_every_field(gateway: AdminGateway, http: httpx2.Client) -> None:
    attempts = [Attempt(model="a", end="capacity"), Attempt(model="b", end="stop", neurons_nano=250_000_000)]
    row = gateway.add_row(created_ms=BASE_MS + 999, neurons_nano=250_000_000, ttft_ms=80, attempts=attempts)
    answer = http.get(f"/ledger/{row.id}")
    shown = answer.json()
    assert set(shown) >= FIELDS
    assert (shown["id"], shown["created"], shown["created_ms"]) == (row.id, BASE_MS // 1000, BASE_MS + 999)
    assert (shown["cost_nano"], shown["neurons"], shown["ttft_ms"]) == (20_940, 0.25, 80)
    assert [(each["model"], each["end"], each["neurons"]) for each in shown["attempts"]] == [
        ("a", "capacity", None),
        ("b", "stop", 0.25),
    ]
    assert '"neurons":0.25,' in answer.text


def test_ledger_retrieve_unknown_id_is_not_found(http: httpx2.Client) -> None:
    answer = http.get("/ledger/req_nope")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_ledger_list_is_newest_first_and_pages_through_all(gateway: AdminGateway, http: httpx2.Client) -> None:
    rows = [gateway.add_row(created_ms=BASE_MS + number // 2) for number in range(7)]
    expected = [row.id for row in sorted(rows, key=lambda row: (row.created_ms, row.id), reverse=True)]
    found: list[str] = []
    page: str | None = None
    while True:
        answer = http.get("/ledger", params={"limit": 3, **({"page": page} if page else {})}).json()
        assert answer["object"] == "page"
        found += [each["id"] for each in answer["data"]]
        page = answer["next_page"]
        assert answer["has_more"] is (page is not None)
        if page is None:
            break
    assert found == expected


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("project_ids[]=proj_1", 2),
        ("project_ids=proj_1&project_ids=proj_2", 3),
        ("api_key_ids[]=key_9", 1),
        ("models[]=m", 1),
        (f"start_time={BASE_MS // 1000 + 1}", 2),
        (f"end_time={BASE_MS // 1000 + 1}", 1),
        (f"start_time={BASE_MS // 1000 + 1}&end_time={BASE_MS // 1000 + 2}", 1),
        ("project_ids[]=proj_2&models[]=nope", 0),
    ],
)
def test_ledger_list_filters(gateway: AdminGateway, http: httpx2.Client, query: str, count: int) -> None:
    gateway.add_row(created_ms=BASE_MS)
    gateway.add_row(created_ms=BASE_MS + 1000, api_key_id="key_9")
    gateway.add_row(created_ms=BASE_MS + 2000, project_id="proj_2", model="m")
    assert len(http.get(f"/ledger?{query}").json()["data"]) == count


@pytest.mark.parametrize(
    ("query", "param"), [("limit=1001", "limit"), ("page=zzz", "page"), ("project=proj_1", "project")]
)
def test_ledger_list_bad_parameter_is_refused_by_name(http: httpx2.Client, query: str, param: str) -> None:
    answer = http.get(f"/ledger?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
