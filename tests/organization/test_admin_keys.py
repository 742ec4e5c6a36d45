"""Admin API keys: with the official SDK; how far roles and scopes reach; the dashboard with them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import openai
import pytest
from openai.types.admin.organization import Project
from support.admin_gateway import ADMIN_KEY, AdminGateway


@pytest.fixture
def project(client: openai.OpenAI) -> Project:
    return client.admin.organization.projects.create(name="team")


@contextmanager
def signed(gateway: AdminGateway, secret: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(
        base_url=f"{gateway.url}/v1/organization", headers={"authorization": f"Bearer {secret}"}, trust_env=False
    ) as opened:
        yield opened


def issue(client: openai.OpenAI, **extra: str) -> str:
    return client.admin.organization.admin_api_keys.create(name="someone", extra_body=extra).value


def test_admin_keys_are_made_listed_read_and_revoked_with_the_sdk(client: openai.OpenAI, gateway: AdminGateway) -> None:
    admins = client.admin.organization.admin_api_keys
    made = admins.create(name="ci", expires_in_seconds=3600)
    assert made.object == "organization.admin_api_key"
    assert made.value.startswith("sk-admin-")
    assert made.redacted_value == f"sk-admin-…{made.value[-4:]}"
    assert made.expires_at == made.created_at + 3600
    assert (made.owner.type, made.owner.name, made.last_used_at) == ("user", "admin", None)
    assert (made.model_extra or {})["scope"] == "organization"
    (listed,) = admins.list()
    assert listed == admins.retrieve(made.id)
    assert "value" not in listed.to_dict()
    with signed(gateway, made.value) as ci:
        assert ci.get("/projects").status_code == 200
        assert ci.post("/projects", json={"name": "by ci"}).status_code == 200
    assert admins.retrieve(made.id).last_used_at == pytest.approx(time.time(), abs=60)
    gone = admins.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "organization.admin_api_key.deleted", True)
    assert list(admins.list()) == []
    for call in (admins.retrieve, admins.delete):
        with pytest.raises(openai.NotFoundError):
            call(made.id)
    with signed(gateway, made.value) as ci:
        assert ci.get("/projects").json()["error"]["code"] == "invalid_api_key"


def test_admin_keys_are_paged(client: openai.OpenAI) -> None:
    made = [client.admin.organization.admin_api_keys.create(name=str(number)).id for number in range(5)]
    assert sorted(each.id for each in client.admin.organization.admin_api_keys.list(limit=2)) == sorted(made)
    falling = [each.id for each in client.admin.organization.admin_api_keys.list(limit=2, order="desc")]
    assert falling == [each.id for each in client.admin.organization.admin_api_keys.list()][::-1]


def test_admin_keys_lie_in_the_store_as_hashes_only(client: openai.OpenAI, gateway: AdminGateway) -> None:
    secret = issue(client)
    with signed(gateway, secret) as someone:
        someone.post("/projects", json={"name": "x"})
    everything = b"".join(gateway.redis.dump(name) or b"" for name in gateway.redis.scan_iter("*"))
    assert secret.encode() not in everything


def test_admin_key_past_its_end_opens_nothing(client: openai.OpenAI, gateway: AdminGateway) -> None:
    made = client.admin.organization.admin_api_keys.create(name="short", expires_in_seconds=1)
    with signed(gateway, made.value) as short:
        while int(gateway.redis.time()[0]) < (made.expires_at or 0):  # the store's clock is not ours to set
            time.sleep(0.05)
        assert short.get("/projects").status_code == 401


def test_viewer_reads_everything_and_changes_nothing(
    client: openai.OpenAI, gateway: AdminGateway, project: Project
) -> None:
    with signed(gateway, issue(client, role="viewer")) as viewer:
        for path in ("/projects", f"/projects/{project.id}", "/limits", "/admin_api_keys", "/ledger", "/audit_logs"):
            assert viewer.get(path).status_code == 200, path
        for path in ("/projects", f"/projects/{project.id}", "/limits", "/admin_api_keys", "/verify"):
            assert viewer.post(path, json={}).status_code == 403, path
        assert viewer.delete(f"/projects/{project.id}/spend_limit").status_code == 403
    assert client.admin.organization.projects.retrieve(project.id).name == "team"


def test_project_administrator_does_everything_inside(
    client: openai.OpenAI, gateway: AdminGateway, project: Project
) -> None:
    path = f"/projects/{project.id}"
    with signed(gateway, issue(client, scope=f"project:{project.id}")) as admin:
        made = admin.post(f"{path}/service_accounts", json={"name": "bot", "tags": {"a": "b"}}).json()
        key = f"{path}/api_keys/{made['api_key']['id']}"
        assert admin.post(key, json={"disabled": True}).status_code == 200
        limits = {"limits": [{"kind": "money", "window": "day", "limit": 5}]}
        assert admin.post(f"{key}/limits", json=limits).status_code == 200
        assert admin.post(f"{key}/rotate").status_code == 200
        assert admin.delete(key).status_code == 200
        assert admin.post(path, json={"name": "renamed"}).json()["name"] == "renamed"
        assert [each["id"] for each in admin.get("/projects").json()["data"]] == [project.id]
        events = [each["type"] for each in admin.get("/audit_logs").json()["data"]]
    assert {"api_key.rotated", "project.updated"} <= set(events)
    assert "admin_api_key.created" not in events


def test_project_administrator_sees_the_projects_part_of_reports(
    client: openai.OpenAI, gateway: AdminGateway, project: Project
) -> None:
    other = client.admin.organization.projects.create(name="other")
    mine = gateway.add_row(project_id=project.id)
    theirs = gateway.add_row(project_id=other.id)
    start = {"start_time": mine.created_ms // 1000, "end_time": mine.created_ms // 1000 + 1}
    client.admin.organization.projects.spend_limit.update(
        other.id, threshold_amount=1, currency="USD", interval="month"
    )
    with signed(gateway, issue(client, scope=f"project:{project.id}", role="viewer")) as viewer:
        assert [row["id"] for row in viewer.get("/ledger").json()["data"]] == [mine.id]
        assert viewer.get(f"/ledger/{theirs.id}").status_code == 404
        (bucket,) = viewer.get("/usage/completions", params=start).json()["data"]
        assert bucket["results"][0]["num_model_requests"] == 1
        (day,) = viewer.get("/costs", params={"start_time": start["start_time"], "limit": 1}).json()["data"]
        assert day["results"][0]["amount"]["value"] == mine.cost_nano / 1e9
        assert viewer.get("/ledger", params={"project_ids[]": other.id}).status_code == 403
        assert viewer.get("/spend_limits").json()["data"] == []
        assert viewer.post(f"/projects/{project.id}/service_accounts", json={"name": "x"}).status_code == 403


def test_project_administrator_cannot_raise_the_projects_budget_or_leave_the_project(
    client: openai.OpenAI, gateway: AdminGateway, project: Project
) -> None:
    other = client.admin.organization.projects.create(name="other")
    account = client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    assert account.api_key is not None
    path = f"/projects/{project.id}"
    client.admin.organization.projects.spend_limit.update(
        project.id, threshold_amount=1, currency="USD", interval="month"
    )
    budget = {"threshold_amount": 100, "currency": "USD", "interval": "month"}
    limits = {"limits": [{"kind": "requests", "window": "day", "limit": 5}]}
    attempts: list[tuple[str, str, dict[str, Any], int]] = [  # bodies of several types
        ("POST", f"{path}/spend_limit", budget, 403),
        ("DELETE", f"{path}/spend_limit", {}, 403),
        ("POST", f"{path}/limits", limits, 403),
        ("POST", f"{path}/archive", {}, 403),
        ("DELETE", f"{path}/model_permissions", {}, 403),
        ("POST", f"{path}/rate_limits/rl-cf-meta-llama-3.1-8b-instruct-fp8", {"max_tokens_per_1_minute": 9}, 403),
        ("POST", path, limits, 403),
        ("POST", path, {"name": "x", "log_content": True}, 403),
        ("POST", f"{path}/api_keys/{account.api_key.id}", {"on_store_down": "allow"}, 403),
        ("POST", "/projects", {"name": "more"}, 403),
        ("POST", "/limits", limits, 403),
        ("GET", "/limits", {}, 403),
        ("POST", "/spend_limit", budget, 403),
        ("GET", "/admin_api_keys", {}, 403),
        ("POST", "/admin_api_keys", {"name": "me"}, 403),
        ("POST", "/verify", {}, 403),
        ("GET", f"/projects/{other.id}", {}, 404),
        ("POST", f"/projects/{other.id}", {"name": "mine"}, 404),
        ("GET", f"/projects/{other.id}/api_keys", {}, 404),
        ("POST", f"/projects/{other.id}/service_accounts", {"name": "x"}, 404),
    ]
    with signed(gateway, issue(client, scope=f"project:{project.id}")) as admin:
        for method, where, body, status in attempts:
            answer = admin.request(method, where, json=body if method == "POST" else None)
            assert answer.status_code == status, (method, where, answer.text)
    assert client.admin.organization.projects.spend_limit.retrieve(project.id).threshold_amount == 1
    assert client.admin.organization.projects.retrieve(project.id).name == "team"


@pytest.mark.parametrize("scope", ["everything", "project:", "project:proj_nobody"])
def test_scope_that_is_none_is_refused(client: openai.OpenAI, scope: str) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        issue(client, scope=scope)
    assert refused.value.status_code in (400, 404)
    assert list(client.admin.organization.admin_api_keys.list()) == []


def test_acts_carry_the_admin_keys_name(client: openai.OpenAI, gateway: AdminGateway, http: httpx2.Client) -> None:
    with signed(gateway, issue(client)) as someone:
        someone.post("/projects", json={"name": "x"})
    (act,) = http.get("/audit_logs", params={"event_types[]": "project.created"}).json()["data"]
    assert act["actor"]["name"] == "someone"
    assert act["actor"]["api_key"]["id"].startswith("key_")


@pytest.mark.parametrize("change", [lambda secret: secret[:-1], lambda secret: f"{secret[:-1]}!", str.swapcase])
def test_admin_key_with_a_typo_is_refused(client: openai.OpenAI, gateway: AdminGateway, change: Any) -> None:
    with signed(gateway, change(issue(client))) as typo:
        assert typo.get("/projects").status_code == 401


def sign_in(browser: httpx2.Client, secret: str) -> tuple[str, str | None]:
    """The role and the project that the dashboard says one has; from now on the client has the session's cookie."""
    found = browser.post("/dashboard/session", json={"key": secret})
    assert found.status_code == 200, found.text
    session = found.json()
    return session["role"], session["project"] and session["project"]["name"]


def test_dashboard_takes_admin_keys_and_ends_with_them(
    client: openai.OpenAI, gateway: AdminGateway, project: Project
) -> None:
    made = client.admin.organization.admin_api_keys.create(name="everything")
    mine = client.admin.organization.admin_api_keys.create(
        name="one project", extra_body={"scope": f"project:{project.id}"}
    )
    root_browser, browser, narrow_browser = (httpx2.Client(base_url=gateway.url, trust_env=False) for _ in range(3))
    with root_browser, browser, narrow_browser:
        assert sign_in(root_browser, ADMIN_KEY) == ("admin", None)
        assert sign_in(browser, made.value) == ("admin", None)
        assert sign_in(narrow_browser, mine.value) == ("admin", "team")
        assert browser.get("/v1/organization/limits").status_code == 200
        assert narrow_browser.get("/v1/organization/limits").status_code == 403
        assert len(narrow_browser.get("/v1/organization/projects").json()["data"]) == 1
        assert browser.post("/v1/organization/projects", json={"name": "by cookie"}).status_code == 401
        client.admin.organization.admin_api_keys.delete(made.id)
        assert browser.get("/v1/organization/limits").status_code == 401
        assert browser.get("/dashboard/session").json()["role"] == "none"
        assert root_browser.get("/dashboard/session").json()["role"] == "admin"
