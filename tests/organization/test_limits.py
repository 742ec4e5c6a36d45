"""Limits over HTTP: set, shown with their counters, read by the keys they bind."""

import json
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from support.admin_gateway import AdminGateway


@pytest.fixture
def owner(client: openai.OpenAI) -> tuple[str, str, str]:
    """A project with a key: their ids, and the secret."""
    project = client.admin.organization.projects.create(name="team")
    made = client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    return project.id, made.api_key.id, made.api_key.value


def limit(kind: str, window: str, amount: int | None) -> dict[str, Any]:  # members of several types
    return {"kind": kind, "window": window, "limit": amount}


def told(answer: httpx2.Response) -> list[tuple[str, str, str, int]]:
    assert answer.status_code == 200, answer.text
    return [(each["scope"], each["kind"], each["window"], each["limit"]) for each in answer.json()["data"]]


def test_limits_of_every_scope_are_set_one_by_one_and_removed(http: httpx2.Client, owner: tuple[str, str, str]) -> None:
    project, key, _ = owner
    paths = {
        "organization": "/limits",
        "project": f"/projects/{project}/limits",
        "key": f"/projects/{project}/api_keys/{key}/limits",
    }
    for scope, path in paths.items():
        assert told(http.get(path)) == []
        http.post(path, json={"limits": [limit("requests", "minute", 60), limit("tokens", "day", 5)]})
        changed = told(http.post(path, json={"limits": [limit("requests", "minute", None), limit("money", "week", 7)]}))
        assert changed == [(scope, "tokens", "day", 5), (scope, "money", "week", 7)]
        assert told(http.get(path)) == changed


def test_limits_show_a_projects_spend_limit_beside_the_others(
    http: httpx2.Client, client: openai.OpenAI, owner: tuple[str, str, str]
) -> None:
    path = f"/projects/{owner[0]}/limits"
    client.admin.organization.projects.spend_limit.update(
        owner[0], threshold_amount=1, currency="USD", interval="month"
    )
    http.post(path, json={"limits": [limit("concurrency", "now", 4)]})
    assert told(http.get(path)) == [("project", "money", "month", 10**7), ("project", "concurrency", "now", 4)]


def test_limits_show_used_held_and_what_remains(
    http: httpx2.Client, gateway: AdminGateway, owner: tuple[str, str, str]
) -> None:
    project, key, _ = owner
    path = f"/projects/{project}/api_keys/{key}/limits"
    wanted = [limit("money", "total", 100), limit("concurrency", "now", 4), limit("tokens", "minute", 1000)]
    http.post(path, json={"limits": wanted})
    second = int(gateway.redis.time()[0])
    slots = msgspec.msgpack.encode([second - 100, 500, 500, second - 20, 30, 0, second, 7, 100])
    gateway.redis.hset(
        gateway.layout.spent(f"k:{key}"),
        mapping={"u:money:total": 90, "h:money:total": 30, "h:concurrency:now": 1, "r:tokens:minute": slots},
    )
    found = [(each["used"], each["held"], each["remaining"]) for each in http.get(path).json()["data"]]
    assert found == [(90, 30, 0), (0, 1, 3), (37, 100, 863)]


def test_limits_me_shows_a_key_its_own_and_its_projects(
    http: httpx2.Client, gateway: AdminGateway, owner: tuple[str, str, str]
) -> None:
    project, key, secret = owner
    http.post("/limits", json={"limits": [limit("money", "day", 1)]})
    http.post(f"/projects/{project}/limits", json={"limits": [limit("tokens", "day", 2)]})
    http.post(f"/projects/{project}/api_keys/{key}/limits", json={"limits": [limit("requests", "hour", 3)]})
    mine = http.get("/limits/me", headers={"authorization": f"Bearer {secret}"})
    assert told(mine) == [("key", "requests", "hour", 3), ("project", "tokens", "day", 2)]
    for token in ("sk-wrong", secret[:-1] + ("a" if secret[-1] != "a" else "b")):
        assert http.get("/limits/me", headers={"authorization": f"Bearer {token}"}).status_code == 401
    assert http.get("/limits/me").status_code == 401  # the admin key is nobody's virtual key
    http.post(f"/projects/{project}/api_keys/{key}", json={"disabled": True})
    assert http.get("/limits/me", headers={"authorization": f"Bearer {secret}"}).status_code == 401


def test_key_update_changes_everything_at_once_and_says_so_in_the_audit(
    http: httpx2.Client, gateway: AdminGateway, owner: tuple[str, str, str]
) -> None:
    project, key, _ = owner
    path = f"/projects/{project}/api_keys/{key}"
    body = {"name": "new", "disabled": True, "limits": [limit("requests", "minute", 60), limit("money", "day", 10**9)]}
    shown = http.post(path, json=body).json()
    assert (shown["name"], shown["disabled"], shown["owner_project_access"]) == ("new", True, "inactive")
    assert [(each["kind"], each["limit"]) for each in shown["limits"]] == [("requests", 60), ("money", 10**9)]
    again = http.post(path, json={"disabled": False}).json()
    assert (again["disabled"], again["limits"]) == (False, shown["limits"])
    entries = [fields for _, fields in gateway.redis.xrange(gateway.layout.shared("audit"))]
    details = [json.loads(fields[b"details"]) for fields in entries if fields[b"event"] == b"api_key.updated"]
    assert details[0]["limits"] == "requests/minute=60 money/day=1000000000"
    assert details[1]["disabled"] == "false"


def test_limits_of_a_revoked_key_are_gone(http: httpx2.Client, owner: tuple[str, str, str]) -> None:
    path = f"/projects/{owner[0]}/api_keys/{owner[1]}"
    http.delete(path)
    assert http.get(f"{path}/limits").status_code == 404
    assert http.post(f"{path}/limits", json={"limits": [limit("requests", "day", 1)]}).status_code == 404
