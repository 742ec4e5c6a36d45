"""The rules of keys and projects over HTTP: set, shown, taken back, refused where they make no sense."""

import json
from typing import Any

import httpx2
import openai
import pytest
from support.admin_gateway import AdminGateway

from gateway.keys import hash_secret

MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"
EVERY_RULE: dict[str, Any] = {  # members of several types
    "allowed_models": [MODEL],
    "allowed_routes": ["auto"],
    "default_route": "auto",
    "on_disconnect": "drain",
    "drain_up_to": {"tokens": 500, "seconds": 20},
    "on_store_down": "allow",
    "on_revoke": "finish",
    "tags": {"team": "search", "cost-center": "42"},
}
NO_RULE: dict[str, Any] = {**dict.fromkeys(EVERY_RULE), "tags": {}}  # members of several types


@pytest.fixture
def key(client: openai.OpenAI) -> tuple[str, str, str]:
    """A project with a key: the path of each, and the secret."""
    project = client.admin.organization.projects.create(name="team")
    made = client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    return f"/projects/{project.id}", f"/projects/{project.id}/api_keys/{made.api_key.id}", made.api_key.value


def rules_of(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in EVERY_RULE}


@pytest.mark.parametrize("number", [0, 1])
def test_every_rule_of_a_project_and_of_a_key_is_set_shown_and_taken_back(
    http: httpx2.Client, key: tuple[str, str, str], number: int
) -> None:
    path = key[number]
    assert rules_of(http.get(path).json()) == NO_RULE
    assert rules_of(http.post(path, json=EVERY_RULE).json()) == EVERY_RULE
    assert rules_of(http.post(path, json={"name": "other"}).json()) == EVERY_RULE
    assert rules_of(http.get(path).json()) == EVERY_RULE
    assert rules_of(http.post(path, json=dict.fromkeys(EVERY_RULE)).json()) == NO_RULE


def test_log_content_is_a_rule_of_projects_only(http: httpx2.Client, key: tuple[str, str, str]) -> None:
    assert http.get(key[0]).json()["log_content"] is None
    assert http.post(key[0], json={"log_content": True}).json()["log_content"] is True
    assert http.post(key[0], json={"log_content": None}).json()["log_content"] is None
    refused = http.post(key[1], json={"log_content": True})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "log_content")


def test_queue_weight_is_a_rule_of_projects_only(http: httpx2.Client, key: tuple[str, str, str]) -> None:
    assert http.get(key[0]).json()["queue_weight"] is None
    assert http.post(key[0], json={"queue_weight": 3}).json()["queue_weight"] == 3
    assert http.post(key[0], json={"name": "other"}).json()["queue_weight"] == 3
    for value in (0, 1_001, "3"):
        assert http.post(key[0], json={"queue_weight": value}).json()["error"]["param"] == "queue_weight"
    assert http.post(key[0], json={"queue_weight": None}).json()["queue_weight"] is None
    assert http.post(key[1], json={"queue_weight": 3}).status_code == 400


def test_new_keys_and_projects_take_rules_and_limits_with_the_sdk(
    client: openai.OpenAI, http: httpx2.Client, gateway: AdminGateway
) -> None:
    projects = client.admin.organization.projects
    limits = [{"kind": "requests", "window": "minute", "limit": 60}]
    project = projects.create(name="team", extra_body={"tags": {"team": "a"}, "limits": limits, "log_content": True})
    assert project.model_extra is not None
    assert (project.model_extra["tags"], project.model_extra["log_content"]) == ({"team": "a"}, True)
    given = {**EVERY_RULE, "limits": limits, "disabled": True}
    account = projects.service_accounts.create(project.id, name="bot", extra_body=given)
    assert account.api_key is not None
    second = projects.service_accounts.api_keys.create(
        account.id, project_id=project.id, name="two", extra_body={**EVERY_RULE, "expires_at": 4_000_000_000}
    )
    first = http.get(f"/projects/{project.id}/api_keys/{account.api_key.id}").json()
    assert (rules_of(first), first["disabled"], first["limits"]) == (EVERY_RULE, True, limits)
    other = http.get(f"/projects/{project.id}/api_keys/{second.id}").json()
    assert (rules_of(other), other["expires_at"], other["name"]) == (EVERY_RULE, 4_000_000_000, "two")
    record = json.loads(gateway.redis.hget(gateway.layout.key(hash_secret(second.value)), "data"))
    assert record["rules"]["drain_tokens"] == 500


def test_short_names_of_models_are_kept_as_ids(http: httpx2.Client, key: tuple[str, str, str]) -> None:
    shown = http.post(key[1], json={"allowed_models": ["llama-3.1-8b-instruct-fp8", MODEL]}).json()
    assert shown["allowed_models"] == [MODEL]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"allowed_models": ["gpt-17"]}, "allowed_models"),
        ({"allowed_models": ["auto"]}, "allowed_models"),
        ({"allowed_models": []}, "allowed_models"),
        ({"allowed_models": "auto"}, "allowed_models"),
        ({"allowed_models": [1]}, "allowed_models[0]"),
        ({"allowed_routes": ["nowhere"]}, "allowed_routes"),
        ({"allowed_routes": [MODEL]}, "allowed_routes"),
        ({"default_route": "nowhere"}, "default_route"),
        ({"on_disconnect": "explode"}, "on_disconnect"),
        ({"on_store_down": True}, "on_store_down"),
        ({"on_revoke": "never"}, "on_revoke"),
        ({"drain_up_to": 5}, "drain_up_to"),
        ({"drain_up_to": {"tokens": 0}}, "tokens"),
        ({"drain_up_to": {"seconds": 601}}, "seconds"),
        ({"drain_up_to": {"minutes": 1}}, "minutes"),
        ({"tags": ["a"]}, "tags"),
        ({"tags": {"a": 1}}, "tags.a"),
        ({"tags": {"a" * 65: "x"}}, "tags"),
        ({"tags": {str(number): "x" for number in range(17)}}, "tags"),
        ({"expires_at": 1}, "expires_at"),
        ({"expires_at": 4_000_000_000, "expires_in_seconds": 5}, "expires_at"),
        ({"owner": "nobody"}, "owner"),
        ({"allowed_route": ["auto"]}, "allowed_route"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(
    http: httpx2.Client, key: tuple[str, str, str], body: dict[str, Any], param: str
) -> None:
    refused = http.post(key[1], json=body)
    assert refused.status_code in (400, 404)
    assert refused.json()["error"]["param"] == param
    assert rules_of(http.get(key[1]).json()) == NO_RULE


def test_default_route_has_to_be_an_allowed_one(http: httpx2.Client, key: tuple[str, str, str]) -> None:
    assert http.post(key[1], json={"allowed_routes": ["auto"]}).status_code == 200
    refused = http.post(key[1], json={"default_route": "fast"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "default_route")


def test_unknown_names_are_told_with_those_there_are(http: httpx2.Client, key: tuple[str, str, str]) -> None:
    message = http.post(key[1], json={"allowed_models": ["gpt-17"]}).json()["error"]["message"]
    assert "'gpt-17'" in message
    assert MODEL in message


def test_key_moves_to_another_owner_and_is_revoked_with_it(
    client: openai.OpenAI, http: httpx2.Client, key: tuple[str, str, str]
) -> None:
    accounts = client.admin.organization.projects.service_accounts
    project_id = key[0].removeprefix("/projects/")
    other = accounts.create(project_id, name="ops", extra_body={"create_service_account_only": True})
    shown = http.post(key[1], json={"owner": "ops"}).json()
    assert shown["owner"]["service_account"]["id"] == other.id
    assert http.post(key[1], json={"owner": other.id}).json() == shown
    first = next(account for account in accounts.list(project_id) if account.name == "bot")
    accounts.delete(first.id, project_id=project_id)
    assert http.get(key[1]).status_code == 200
    accounts.delete(other.id, project_id=project_id)
    assert http.get(key[1]).status_code == 404


def test_expiry_is_set_and_taken_away(http: httpx2.Client, key: tuple[str, str, str]) -> None:
    assert http.post(key[1], json={"expires_at": 4_000_000_000}).json()["expires_at"] == 4_000_000_000
    assert http.post(key[1], json={"expires_at": None}).json()["expires_at"] is None


def test_change_of_rules_is_in_the_audit(http: httpx2.Client, gateway: AdminGateway, key: tuple[str, str, str]) -> None:
    http.post(key[1], json={"on_disconnect": "drain", "allowed_models": None})
    _, entry = gateway.redis.xrange(gateway.layout.shared("audit"))[-1]
    told = json.loads(json.loads(entry[b"details"])["rules"])
    assert told == {"on_disconnect": "drain", "allowed_models": None}


def test_model_permissions_are_the_projects_allowed_models_with_the_sdk(
    client: openai.OpenAI, http: httpx2.Client, key: tuple[str, str, str]
) -> None:
    project_id = key[0].removeprefix("/projects/")
    permissions = client.admin.organization.projects.model_permissions
    found = permissions.retrieve(project_id)
    assert (found.object, found.mode, found.api_model_ids) == ("project.model_permissions", "deny_list", [])
    changed = permissions.update(project_id, mode="allow_list", model_ids=["llama-3.1-8b-instruct-fp8"])
    assert (changed.mode, changed.api_model_ids) == ("allow_list", [MODEL])
    assert http.get(key[0]).json()["allowed_models"] == [MODEL]
    gone = permissions.delete(project_id)
    assert (gone.object, gone.deleted) == ("project.model_permissions.deleted", True)
    assert http.get(key[0]).json()["allowed_models"] is None
    assert permissions.update(project_id, mode="deny_list", model_ids=[]).mode == "deny_list"
    for mode, models in (("allow_list", []), ("allow_list", ["gpt-17"]), ("deny_list", [MODEL])):
        with pytest.raises(openai.BadRequestError) as refused:
            permissions.update(project_id, mode=mode, model_ids=models)  # type: ignore[arg-type]  # one of the two words
        assert refused.value.param == "model_ids"
