"""Telling the provider's figure of a day, and reading the outcome."""

from datetime import UTC, datetime

import httpx2
from support.admin_gateway import AdminGateway

DAY = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def test_reconciliation_is_kept_and_told(gateway: AdminGateway, http: httpx2.Client) -> None:
    assert http.get("/reconciliation").status_code == 404
    gateway.add_row(created_ms=(DAY + 3600) * 1000, neurons_nano=1_500_000_000)
    told = http.post("/reconciliation", json={"start_time": DAY + 60, "theirs": 2.0})
    assert told.json() == {
        "object": "organization.reconciliation",
        "start_time": DAY,
        "ours": 1.5,
        "theirs": 2,
        "difference": 0.5,
        "captured": 0.75,
    }
    assert http.get("/reconciliation").json() == told.json()


def test_reconciliation_without_a_figure_is_refused(http: httpx2.Client) -> None:
    for body in ({"start_time": DAY}, {"theirs": 1}, {"start_time": DAY, "theirs": -1}):
        assert http.post("/reconciliation", json=body).status_code == 400
