"""What a session of a virtual key is shown: its own part of everything, nothing of anybody else's."""

from collections.abc import Iterator

import httpx2
import pytest
from support.admin_gateway import ADMIN_KEY, AdminGateway
from support.signing_in import ADMIN, Team, browser, make_team

NOON = 1_767_268_800  # 2026-01-01 12:00:00
DAY = NOON - NOON % 86_400
TIMES = f"start_time={DAY}&end_time={DAY + 86_400}"


@pytest.fixture
def mine(gateway: AdminGateway) -> Team:
    return make_team(gateway, "mine")


@pytest.fixture
def colleague(gateway: AdminGateway, mine: Team) -> Team:
    """Another key of the same project."""
    return make_team(gateway, "colleague", mine.project)


@pytest.fixture
def stranger(gateway: AdminGateway) -> Team:
    return make_team(gateway, "stranger")


@pytest.fixture
def rows(gateway: AdminGateway, mine: Team, colleague: Team, stranger: Team) -> dict[str, str]:
    """One row of each: ids by the team's name."""
    teams = {"mine": (mine, 10), "colleague": (colleague, 200), "stranger": (stranger, 3000)}
    return {
        name: gateway.add_row(project_id=team.project, api_key_id=team.key, cost_nano=cost).id
        for name, (team, cost) in teams.items()
    }


@pytest.fixture
def http(gateway: AdminGateway, mine: Team, rows: dict[str, str]) -> Iterator[httpx2.Client]:
    """A browser signed in with my key."""
    with browser(gateway, mine.secret) as opened:
        opened.base_url = httpx2.URL(f"{gateway.url}/v1/organization")
        yield opened


@pytest.mark.parametrize("groups", ["", "&group_by[]=project_id&group_by[]=api_key_id", "&group_by[]=project_id"])
def test_view_reports_are_of_the_own_key(http: httpx2.Client, mine: Team, groups: str) -> None:
    usage = http.get(f"/usage/completions?{TIMES}{groups}").json()["data"][0]["results"]
    assert [(each["num_model_requests"], each["cost_nano"]) for each in usage] == [(1, 10)]
    costs = http.get(f"/costs?{TIMES}{groups}").json()["data"][0]["results"]
    assert [each["amount"]["value"] for each in costs] == [pytest.approx(1e-8)]
    assert {each["project_id"] for each in usage + costs} <= {mine.project, None}


@pytest.mark.parametrize("width", ["1m", "1h", "1d"])
def test_view_usage_of_every_width_is_of_the_own_key(http: httpx2.Client, width: str) -> None:
    limit = {"1m": 1440, "1h": 24, "1d": 1}[width]
    data = http.get(f"/usage/completions?{TIMES}&bucket_width={width}&limit={limit}").json()["data"]
    assert sum(each["cost_nano"] for bucket in data for each in bucket["results"]) == 10


def test_view_rows_are_of_the_own_key(http: httpx2.Client, rows: dict[str, str]) -> None:
    assert [row["id"] for row in http.get("/ledger").json()["data"]] == [rows["mine"]]
    assert http.get(f"/ledger/{rows['mine']}").json()["cost_nano"] == 10


@pytest.mark.parametrize("whose", ["colleague", "stranger"])
def test_view_rows_of_others_do_not_exist(http: httpx2.Client, rows: dict[str, str], whose: str) -> None:
    answer = http.get(f"/ledger/{rows[whose]}")
    unknown = http.get("/ledger/req_nothing")
    assert answer.status_code == unknown.status_code == 404
    assert answer.json()["error"]["message"].replace(rows[whose], "req_nothing") == unknown.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/usage/completions", "/costs", "/ledger"])
@pytest.mark.parametrize("whose", ["colleague", "stranger"])
def test_view_filtered_to_others_is_forbidden(
    http: httpx2.Client, mine: Team, colleague: Team, stranger: Team, path: str, whose: str
) -> None:
    team = {"colleague": colleague, "stranger": stranger}[whose]
    for filters in (
        f"api_key_ids[]={team.key}",
        f"api_key_ids={mine.key}&api_key_ids={team.key}",
        f"project_ids[]={mine.project}&project_ids[]={stranger.project}",
    ):
        assert http.get(f"{path}?{TIMES}&{filters}").status_code == 403, filters
    assert http.get(f"{path}?{TIMES}&project_ids[]={mine.project}&api_key_ids[]={mine.key}").status_code == 200


def test_view_lists_hold_the_own_project_and_key(http: httpx2.Client, mine: Team) -> None:
    projects = http.get("/projects?limit=100&include_archived=true").json()
    assert [each["id"] for each in projects["data"]] == [mine.project]
    keys = http.get(f"/projects/{mine.project}/api_keys?include_revoked=true").json()
    assert [each["id"] for each in keys["data"]] == [mine.key]
    assert http.get(f"/projects/{mine.project}").json()["name"] == "mine"
    assert http.get(f"/projects/{mine.project}/api_keys/{mine.key}").json()["name"] == "mine"


def test_view_objects_of_others_do_not_exist(http: httpx2.Client, mine: Team, colleague: Team, stranger: Team) -> None:
    for path in (
        f"/projects/{stranger.project}",
        f"/projects/{stranger.project}/api_keys",
        f"/projects/{stranger.project}/api_keys/{stranger.key}",
        f"/projects/{mine.project}/api_keys/{colleague.key}",
    ):
        assert http.get(path).status_code == 404, path


def test_view_what_has_none_is_forbidden(http: httpx2.Client, mine: Team) -> None:
    for path in (
        "/spend_limit",
        f"/projects/{mine.project}/spend_limit",
        f"/projects/{mine.project}/service_accounts",
        f"/projects/{mine.project}/service_accounts/svc_acct_1",
    ):
        assert http.get(path).status_code == 403, path


def test_view_limits_are_of_the_own_project(
    gateway: AdminGateway, http: httpx2.Client, mine: Team, stranger: Team
) -> None:
    with httpx2.Client(base_url=f"{gateway.url}/v1/organization", headers=ADMIN, trust_env=False) as admin:
        limit = {"threshold_amount": 500, "currency": "USD", "interval": "month"}
        for path in (
            "/spend_limit",
            f"/projects/{mine.project}/spend_limit",
            f"/projects/{stranger.project}/spend_limit",
        ):
            assert admin.post(path, json=limit).status_code == 200
    assert [each["id"] for each in http.get("/spend_limits?limit=100").json()["data"]] == [mine.project]


def test_view_of_an_administrator_is_everything(gateway: AdminGateway, rows: dict[str, str]) -> None:
    with browser(gateway, ADMIN_KEY) as opened:
        found = opened.get("/v1/organization/ledger").json()["data"]
        assert {row["id"] for row in found} == set(rows.values())
        [everything] = opened.get(f"/v1/organization/usage/completions?{TIMES}").json()["data"][0]["results"]
    assert everything["cost_nano"] == 3210
