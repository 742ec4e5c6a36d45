"""All spend limits at once: which scopes are listed, and what is used and held of each."""

import time

import httpx2
import pytest
from support.admin_gateway import AdminGateway
from support.signing_in import make_team

LIMIT = {"threshold_amount": 250, "currency": "USD", "interval": "month"}


def test_limits_none_set_is_an_empty_list(http: httpx2.Client) -> None:
    assert http.get("/spend_limits").json() == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False,
    }  # fmt: skip


@pytest.mark.usefixtures("one_day")
def test_limits_of_organization_and_projects_show_used_and_held(gateway: AdminGateway, http: httpx2.Client) -> None:
    limited, free = make_team(gateway, "limited").project, make_team(gateway, "free").project
    assert http.post("/spend_limit", json=LIMIT).status_code == 200
    assert http.post(f"/projects/{limited}/spend_limit", json=LIMIT).status_code == 200
    month = time.strftime("%Y-%m", time.gmtime())
    gateway.redis.hset(
        gateway.layout.spent(f"p:{limited}"),
        mapping={f"u:money:{month}": 2_500_000_000, f"h:money:{month}": 10_000_000},
    )
    whole, project = http.get("/spend_limits").json()["data"]
    assert (whole["scope"], whole["name"], whole["used_amount"]) == ("organization", None, 0)
    assert whole["enforcement"] == {"status": "inactive"}
    assert (project["id"], project["scope"], project["name"]) == (limited, "project", "limited")
    assert (project["threshold_amount"], project["used_amount"], project["held_amount"]) == (250, 250, 1)
    assert project["enforcement"] == {"status": "enforcing"}
    assert project["resets_at"] > time.time()
    assert free not in str(project)


def test_limits_page_after_page_are_all_of_them_once(gateway: AdminGateway, http: httpx2.Client) -> None:
    projects = {make_team(gateway, f"team {number}").project for number in range(5)}
    for project in projects:
        assert http.post(f"/projects/{project}/spend_limit", json=LIMIT).status_code == 200
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = http.get("/spend_limits", params={"limit": 2, **after}).json()
        found += [each["id"] for each in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert len(found) == 5
    assert set(found) == projects


def test_limits_of_an_archived_project_are_left_out(gateway: AdminGateway, http: httpx2.Client) -> None:
    project = make_team(gateway, "old").project
    http.post(f"/projects/{project}/spend_limit", json=LIMIT)
    http.post(f"/projects/{project}/archive")
    assert http.get("/spend_limits").json()["data"] == []
