"""The audit over HTTP: every act of the admin API is in it, with who, from where, before and after, and outcome."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from support.admin_gateway import ADMIN_KEY, AdminGateway, fill_stream

from gateway.keys import hash_secret
from gateway.organization.audit import MOST_REFUSALS
from gateway.organization.routes import _ENDPOINTS

BUDGET = {"threshold_amount": 500, "currency": "USD", "interval": "month"}
ALERT = {**BUDGET, "notification_channel": {"type": "email", "recipients": ["a@example.org"]}}
LIMITS = {"limits": [{"kind": "requests", "window": "minute", "limit": 60}]}


def logs(http: httpx2.Client, **parameters: Any) -> list[dict[str, Any]]:  # any filter
    answer = http.get("/audit_logs", params=parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


Ask = Callable[..., Any]


@pytest.fixture
def ask(http: httpx2.Client) -> Ask:
    def one(method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # JSON
        answer = http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return one


def acts(ask: Ask) -> dict[tuple[str, str], tuple[str, dict[str, Any] | None]]:
    """For every changing endpoint one request that changes something: path, body."""
    project = ask("POST", "/projects", {"name": "team"})["id"]
    doomed = ask("POST", "/projects", {"name": "doomed"})["id"]
    made = ask("POST", f"/projects/{project}/service_accounts", {"name": "bot"})
    spare = ask("POST", f"/projects/{project}/service_accounts", {"name": "spare"})
    ids = {"project_id": project, "account_id": made["id"], "key_id": made["api_key"]["id"]}
    bodies: dict[tuple[str, str], dict[str, Any] | None] = {
        ("POST", "/projects"): {"name": "another"},
        ("POST", "/projects/{project_id}"): {"name": "renamed"},
        ("POST", "/projects/{project_id}/archive"): {},
        ("POST", "/projects/{project_id}/spend_limit"): BUDGET,
        ("DELETE", "/projects/{project_id}/spend_limit"): None,
        ("POST", "/projects/{project_id}/limits"): LIMITS,
        ("POST", "/projects/{project_id}/model_permissions"): {
            "mode": "allow_list",
            "model_ids": ["llama-3.1-8b-instruct-fp8"],
        },
        ("DELETE", "/projects/{project_id}/model_permissions"): None,
        ("POST", "/projects/{project_id}/rate_limits/{rate_limit_id}"): {"max_requests_per_1_minute": 7},
        ("POST", "/projects/{project_id}/service_accounts"): {"name": "second"},
        ("POST", "/projects/{project_id}/service_accounts/{account_id}"): {"name": "robot"},
        ("DELETE", "/projects/{project_id}/service_accounts/{account_id}"): None,
        ("POST", "/projects/{project_id}/service_accounts/{account_id}/api_keys"): {"name": "more"},
        ("POST", "/projects/{project_id}/api_keys/{key_id}"): {"name": "called otherwise"},
        ("POST", "/projects/{project_id}/api_keys/{key_id}/rotate"): {},
        ("POST", "/projects/{project_id}/api_keys/{key_id}/limits"): LIMITS,
        ("DELETE", "/projects/{project_id}/api_keys/{key_id}"): None,
        ("POST", "/spend_alerts"): ALERT,
        ("POST", "/spend_alerts/{alert_id}"): {**ALERT, "threshold_amount": 900},
        ("DELETE", "/spend_alerts/{alert_id}"): None,
        ("POST", "/projects/{project_id}/spend_alerts"): ALERT,
        ("POST", "/projects/{project_id}/spend_alerts/{alert_id}"): {**ALERT, "threshold_amount": 900},
        ("DELETE", "/projects/{project_id}/spend_alerts/{alert_id}"): None,
        ("POST", "/alerts/test"): {},
        ("POST", "/reconciliation"): {"start_time": 1_767_225_600, "theirs": 5},
        ("POST", "/limits"): LIMITS,
        ("POST", "/spend_limit"): BUDGET,
        ("DELETE", "/spend_limit"): None,
        ("POST", "/admin_api_keys"): {"name": "someone"},
        ("DELETE", "/admin_api_keys/{key_id}"): None,
    }
    in_project = {"alert_id": ask("POST", f"/projects/{project}/spend_alerts", ALERT)["id"]}
    ids["rate_limit_id"] = ask("GET", f"/projects/{project}/rate_limits")["data"][0]["id"]
    ids["alert_id"] = ask("POST", "/spend_alerts", ALERT)["id"]
    last = {
        ("POST", "/projects/{project_id}/spend_alerts/{alert_id}"): in_project,
        ("DELETE", "/projects/{project_id}/spend_alerts/{alert_id}"): in_project,
        ("DELETE", "/admin_api_keys/{key_id}"): {"key_id": ask("POST", "/admin_api_keys", {"name": "left"})["id"]},
        ("POST", "/projects/{project_id}/archive"): {"project_id": doomed},
        ("DELETE", "/projects/{project_id}/service_accounts/{account_id}"): {"account_id": spare["id"]},
    }
    return {place: (place[1].format(**{**ids, **last.get(place, {})}), body) for place, body in bodies.items()}


def test_audit_every_changing_endpoint_leaves_its_entries(ask: Ask, http: httpx2.Client, gateway: AdminGateway) -> None:
    told = acts(ask)
    changing = {(method, path) for path, methods in _ENDPOINTS.items() for method in methods if method != "GET"}
    assert changing - {("POST", "/verify")} == told.keys()  # a repair is told where there was something to repair
    stream = gateway.layout.shared("audit")
    silent = []
    for (method, _), (path, body) in told.items():
        before = gateway.redis.xlen(stream)
        ask(method, path, body)
        if gateway.redis.xlen(stream) == before:
            silent.append((method, path))
    assert silent == []
    entries = logs(http, limit=100)
    assert {entry["outcome"] for entry in entries} == {"succeeded"}
    assert {entry["type"] for entry in entries if not entry["changes"]} == {"alert.tested", "ledger.reconciled"}


def test_audit_entry_says_who_from_where_and_what_it_was_before(ask: Ask, http: httpx2.Client) -> None:
    project = ask("POST", "/projects", {"name": "team"})["id"]
    ask("POST", f"/projects/{project}/spend_limit", BUDGET)
    ask("POST", f"/projects/{project}/spend_limit", {**BUDGET, "threshold_amount": 900})
    newest, first, made = logs(http)
    assert (newest["type"], newest["outcome"]) == ("project.spend_limit.updated", "succeeded")
    assert newest["project"] == {"id": project, "name": "team"}
    assert newest["actor"]["name"] == "admin"
    assert (newest["actor"]["type"], newest["actor"]["ip_address"]) == ("api_key", "127.0.0.1")
    assert newest["actor"]["user_agent"].startswith("python-httpx")
    assert newest["request_id"].startswith("req_")
    change = newest["changes"][0]
    assert (change["before"]["spend_limit"]["limit_nano"], change["after"]["spend_limit"]["limit_nano"]) == (
        5 * 10**9,
        9 * 10**9,
    )
    assert first["changes"][0]["before"] == {"spend_limit": None}
    assert made["project.created"] == {"id": project, "data": {"name": "team"}}
    assert made["changes"][0]["before"] is None


def test_audit_no_secret_is_ever_in_it(ask: Ask, http: httpx2.Client, gateway: AdminGateway) -> None:
    project = ask("POST", "/projects", {"name": "team"})["id"]
    made = ask("POST", f"/projects/{project}/service_accounts", {"name": "bot"})["api_key"]
    rotated = ask("POST", f"/projects/{project}/api_keys/{made['id']}/rotate", {})
    ask("DELETE", f"/projects/{project}/api_keys/{made['id']}")
    text = str(gateway.redis.xrange(gateway.layout.shared("audit")))
    assert made["value"] not in text
    assert rotated["value"] not in text
    assert hash_secret(made["value"]) not in http.get("/audit_logs").text
    assert ADMIN_KEY not in text


def test_audit_refused_acts_are_told_apart_and_bounded(http: httpx2.Client, ask: Ask, gateway: AdminGateway) -> None:
    project = ask("POST", "/projects", {"name": "team"})["id"]
    ask("POST", f"/projects/{project}/archive", {})
    refused = http.post(f"/projects/{project}", json={"name": "again"})
    assert refused.status_code == 400
    newest, *others = logs(http)
    assert (newest["type"], newest["outcome"], newest["changes"]) == ("request.refused", "refused", [])
    said = newest["request.refused"]
    assert (said["method"], said["status"], said["code"]) == ("POST", 400, "project_archived")
    assert newest["request_id"] == refused.headers["x-request-id"]
    assert [entry["type"] for entry in others] == ["project.archived", "project.created"]
    http.get("/projects/proj_none")
    assert len(logs(http)) == 3  # what only reads is no act
    fill_stream(gateway, "audit_refused", MOST_REFUSALS)
    http.post("/projects", json={})
    assert gateway.redis.xlen(gateway.layout.shared("audit_refused")) == MOST_REFUSALS
    assert [entry["type"] for entry in logs(http, **{"event_types[]": "project.created"})] == ["project.created"]


def test_audit_failed_authentication_is_not_written(gateway: AdminGateway) -> None:
    for _ in range(3):
        httpx2.post(f"{gateway.url}/v1/organization/projects", json={"name": "x"}, trust_env=False)
    assert gateway.redis.exists(gateway.layout.shared("audit"), gateway.layout.shared("audit_refused")) == 0


def test_audit_filters_pages_and_cursors(client: openai.OpenAI, http: httpx2.Client, ask: Ask) -> None:
    organization = client.admin.organization
    projects = [organization.projects.create(name=f"p{number}").id for number in range(25)]
    http.post("/projects", json={})
    organization.projects.update(projects[0], name="renamed")
    everything = list(organization.audit_logs.list(limit=10))
    assert len(everything) == 27
    assert [entry.type for entry in everything[:3]] == ["project.updated", "request.refused", "project.created"]
    assert len({entry.id for entry in everything}) == 27
    of_one = list(organization.audit_logs.list(project_ids=[projects[0]]))
    assert [entry.type for entry in of_one] == ["project.updated", "project.created"]
    assert [entry.id for entry in organization.audit_logs.list(event_types=["project.updated"])] == [of_one[0].id]
    assert list(organization.audit_logs.list(actor_ids=["nobody"])) == []
    assert len(list(organization.audit_logs.list(actor_ids=["admin"], limit=100))) == 27
    assert [entry.id for entry in organization.audit_logs.list(resource_ids=[projects[3]])] == [everything[23].id]
    moment = everything[0].effective_at
    assert list(organization.audit_logs.list(effective_at={"gt": moment})) == []
    assert len(list(organization.audit_logs.list(effective_at={"gte": moment - 60, "lte": moment}, limit=100))) == 27
    assert list(organization.audit_logs.list(effective_at={"lt": moment - 60})) == []
    back = logs(http, before=everything[10].id, limit=4)
    assert [entry["id"] for entry in back] == [entry.id for entry in everything[6:10]]
    refused = http.get("/audit_logs", params={"after": "audit_log-x"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "after")
    assert http.get("/audit_logs", params={"effective_at[around]": 5}).status_code == 400


def test_audit_pages_go_through_chunks_of_both_streams(gateway: AdminGateway, http: httpx2.Client) -> None:
    streams = [gateway.layout.shared("audit"), gateway.layout.shared("audit_refused")]
    pipe = gateway.redis.pipeline(transaction=False)
    actor = json.dumps({"name": "admin"})
    for number in range(2400):  # three of four are acts; some share their millisecond
        pipe.xadd(
            streams[number % 4 == 3], {"event": f"e{number}", "actor": actor, "target": "t"}, f"{1000 + number // 3}-*"
        )
    pipe.execute()
    wanted = [f"e{number}" for number in range(0, 2400, 300)]
    found = logs(http, **{"event_types[]": wanted})
    assert [entry["type"] for entry in found] == wanted[::-1]
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = http.get("/audit_logs", params={"limit": 100, **after}).json()
        seen += [entry["type"] for entry in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert len(seen) == len(set(seen)) == 2400
    newest = {f"e{number}" for number in range(2397, 2400)}
    assert set(seen[:3]) == newest
