"""Service accounts and their keys, driven by the official SDK; what lies in the store is looked at directly."""

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import httpx2
import openai
import pytest
from openai.types.admin.organization import Project
from support.admin_gateway import AdminGateway


@pytest.fixture
def project(client: openai.OpenAI) -> Project:
    return client.admin.organization.projects.create(name="team")


def test_account_create_answers_secret_once_and_stores_only_its_hash(
    client: openai.OpenAI, gateway: AdminGateway, project: Project
) -> None:
    projects = client.admin.organization.projects
    made = projects.service_accounts.create(project.id, name="bot")
    assert (made.object, made.role, made.name) == ("organization.project.service_account", "member", "bot")
    assert made.id.startswith("svc_acct_")
    assert made.api_key is not None
    assert made.api_key.object == "organization.project.service_account.api_key"
    secret = made.api_key.value
    assert secret.startswith("sk-")
    digest = sha256(secret.encode()).hexdigest()
    record = gateway.redis.hgetall(gateway.layout.key(digest))
    assert record[b"v"] == b"1"
    assert json.loads(record[b"data"])["project_id"] == project.id
    assert gateway.redis.hget(gateway.layout.shared("key_hashes"), made.api_key.id) == digest.encode()
    everything = b"".join(
        gateway.redis.dump(key) or b"" for key in gateway.redis.scan_iter(f"{gateway.layout.prefix}*")
    )
    assert secret.encode() not in everything


def test_key_list_and_retrieve_show_owner_and_redacted_value(client: openai.OpenAI, project: Project) -> None:
    projects = client.admin.organization.projects
    made = projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    (listed,) = projects.api_keys.list(project.id)
    assert listed == projects.api_keys.retrieve(made.api_key.id, project_id=project.id)
    assert listed.id == made.api_key.id
    assert listed.redacted_value == f"sk-…{made.api_key.value[-4:]}"
    assert listed.owner.type == "service_account"
    assert listed.owner.service_account is not None
    assert (listed.owner.service_account.id, listed.owner.service_account.name) == (made.id, "bot")
    assert listed.owner_project_access == "active"
    assert (listed.last_used_at, listed.expires_at) == (None, None)


def test_key_last_used_is_creation_of_newest_row(
    client: openai.OpenAI, gateway: AdminGateway, project: Project
) -> None:
    made = client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    for created_ms in (1_767_268_800_123, 1_767_268_805_999, 1_767_268_801_000):
        gateway.add_row(project_id=project.id, api_key_id=made.api_key.id, created_ms=created_ms)
    (listed,) = client.admin.organization.projects.api_keys.list(project.id)
    assert listed.last_used_at == 1_767_268_805


def test_key_delete_revokes_and_keeps_the_record(
    client: openai.OpenAI, gateway: AdminGateway, http: httpx2.Client, project: Project
) -> None:
    projects = client.admin.organization.projects
    made = projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    key_id = made.api_key.id
    gone = projects.api_keys.delete(key_id, project_id=project.id)
    assert (gone.id, gone.deleted, gone.object) == (key_id, True, "organization.project.api_key.deleted")
    assert list(projects.api_keys.list(project.id)) == []
    for call in (projects.api_keys.retrieve, projects.api_keys.delete):
        with pytest.raises(openai.NotFoundError):
            call(key_id, project_id=project.id)
    record = gateway.redis.hgetall(gateway.layout.key(sha256(made.api_key.value.encode()).hexdigest()))
    assert record[b"v"] == b"2"
    assert json.loads(record[b"data"])["revoked_at"] >= made.created_at
    shown = http.get(f"/projects/{project.id}/api_keys/{key_id}", params={"include_revoked": "true"}).json()
    assert shown["revoked_at"] is not None
    assert shown["owner_project_access"] == "inactive"
    listed = http.get(f"/projects/{project.id}/api_keys", params={"include_revoked": "true"}).json()
    assert [each["id"] for each in listed["data"]] == [key_id]


def test_account_second_key_is_another_one_with_an_end(client: openai.OpenAI, project: Project) -> None:
    projects = client.admin.organization.projects
    account = projects.service_accounts.create(project.id, name="bot", create_service_account_only=True)
    assert (account.api_key, account.role) == (None, "none")
    first = projects.service_accounts.api_keys.create(account.id, project_id=project.id, name="one")
    second = projects.service_accounts.api_keys.create(account.id, project_id=project.id, expires_in_seconds=3600)
    assert first.value != second.value
    assert (first.name, second.name) == ("one", "bot")
    assert first.expires_at is None
    assert second.expires_at == second.created_at + 3600
    assert {each.id for each in projects.api_keys.list(project.id)} == {first.id, second.id}


def test_key_update_sets_name_and_end(client: openai.OpenAI, project: Project) -> None:
    projects = client.admin.organization.projects
    made = projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    projects.api_keys.update(made.api_key.id, project_id=project.id, expires_in_seconds=60, extra_body={"name": "new"})
    shown = projects.api_keys.retrieve(made.api_key.id, project_id=project.id)
    assert shown.name == "new"
    assert shown.expires_at is not None
    assert 0 <= shown.expires_at - made.created_at - 60 <= 5


def test_account_delete_revokes_all_its_keys_and_no_other(client: openai.OpenAI, project: Project) -> None:
    projects = client.admin.organization.projects
    kept, gone = (projects.service_accounts.create(project.id, name=name) for name in ("kept", "gone"))
    projects.service_accounts.api_keys.create(gone.id, project_id=project.id)
    deleted = projects.service_accounts.delete(gone.id, project_id=project.id)
    assert deleted.object == "organization.project.service_account.deleted"
    assert [each.id for each in projects.service_accounts.list(project.id)] == [kept.id]
    assert kept.api_key is not None
    assert [each.id for each in projects.api_keys.list(project.id)] == [kept.api_key.id]
    with pytest.raises(openai.NotFoundError):
        projects.service_accounts.retrieve(gone.id, project_id=project.id)
    with pytest.raises(openai.NotFoundError):
        projects.service_accounts.api_keys.create(gone.id, project_id=project.id)


def test_account_update_renames(client: openai.OpenAI, project: Project) -> None:
    accounts = client.admin.organization.projects.service_accounts
    made = accounts.create(project.id, name="bot")
    assert accounts.update(made.id, project_id=project.id, name="robot").name == "robot"
    assert accounts.retrieve(made.id, project_id=project.id).name == "robot"


def test_account_keys_made_at_once_are_all_kept(client: openai.OpenAI, gateway: AdminGateway, project: Project) -> None:
    accounts = client.admin.organization.projects.service_accounts
    account = accounts.create(project.id, name="bot", create_service_account_only=True)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: accounts.api_keys.create(account.id, project_id=project.id), range(8)))
    record = json.loads(gateway.redis.hget(gateway.layout.shared("accounts", project.id), account.id) or b"")
    assert sorted(record["key_ids"]) == sorted(each.id for each in made)


def test_account_and_key_lists_page_through_all(client: openai.OpenAI, project: Project) -> None:
    projects = client.admin.organization.projects
    made = [projects.service_accounts.create(project.id, name=f"bot{number}") for number in range(5)]
    assert {each.id for each in projects.service_accounts.list(project.id, limit=2)} == {each.id for each in made}
    keys = [each.id for each in projects.api_keys.list(project.id)]
    assert [each.id for each in projects.api_keys.list(project.id, limit=2)] == keys
    assert set(keys) == {each.api_key.id for each in made if each.api_key}


def test_key_list_of_archived_project_is_inactive(client: openai.OpenAI, project: Project) -> None:
    projects = client.admin.organization.projects
    projects.service_accounts.create(project.id, name="bot")
    projects.archive(project.id)
    assert len(list(projects.api_keys.list(project.id, owner_project_access="active"))) == 0
    (listed,) = projects.api_keys.list(project.id, owner_project_access="inactive")
    assert listed.owner_project_access == "inactive"


def test_key_of_another_project_is_not_found(client: openai.OpenAI, project: Project) -> None:
    projects = client.admin.organization.projects
    other = projects.create(name="other")
    made = projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    with pytest.raises(openai.NotFoundError):
        projects.api_keys.retrieve(made.api_key.id, project_id=other.id)
    with pytest.raises(openai.NotFoundError):
        projects.api_keys.delete(made.api_key.id, project_id=other.id)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "name", "missing_required_parameter"),
        ({"name": None}, "name", "missing_required_parameter"),
        ({"name": 5}, "name", "invalid_type"),
        ({"name": "  "}, "name", "empty_string"),
        ({"name": "x" * 257}, "name", "string_above_max_length"),
        ({"name": "a", "expires_in_seconds": 0}, "expires_in_seconds", "integer_below_min_value"),
        ({"name": "a", "expires_in_seconds": 1.5}, "expires_in_seconds", "invalid_type"),
        ({"name": "a", "create_service_account_only": "yes"}, "create_service_account_only", "invalid_type"),
        (
            {"name": "a", "create_service_account_only": True, "expires_in_seconds": 9},
            "expires_in_seconds",
            "invalid_value",
        ),
        ({"name": "a", "scopes": []}, "scopes", "unknown_parameter"),
    ],
)
def test_account_create_bad_parameter_is_refused_by_name(
    http: httpx2.Client, project: Project, body: dict[str, object], param: str, code: str
) -> None:
    answer = http.post(f"/projects/{project.id}/service_accounts", json=body)
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)
    assert http.get(f"/projects/{project.id}/service_accounts").json()["data"] == []
