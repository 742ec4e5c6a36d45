"""Projects and spend limits, driven by the official SDK against the served API and a real store."""

import json

import httpx2
import openai
import pytest
from support.admin_gateway import AdminGateway

from gateway.core.limits import used_field, window_at
from gateway.organization.money import NANO_PER_CENT


def test_projects_create_retrieve_update_shows_what_was_said(client: openai.OpenAI) -> None:
    projects = client.admin.organization.projects
    made = projects.create(name="Search ✓")
    assert made.object == "organization.project"
    assert made.id.startswith("proj_")
    assert len(made.id) == len("proj_") + 24
    assert (made.name, made.status, made.archived_at) == ("Search ✓", "active", None)
    renamed = projects.update(made.id, name="Find")
    assert projects.retrieve(made.id) == renamed
    assert renamed.name == "Find"
    assert renamed.created_at == made.created_at


def test_projects_list_pages_through_all_in_order(client: openai.OpenAI) -> None:
    projects = client.admin.organization.projects
    names = [f"p{number}" for number in range(7)]
    for name in names:
        projects.create(name=name)
    assert sorted(each.name or "" for each in projects.list(limit=3)) == names
    first = projects.list(limit=3)
    assert first.has_more
    assert first.last_id == first.data[-1].id
    everything = [each.id for each in projects.list()]
    assert [each.id for each in projects.list(limit=2)] == everything
    assert [each.id for each in projects.list(limit=2, extra_query={"order": "desc"})] == everything[::-1]


def test_projects_archive_leaves_list_and_refuses_changes(client: openai.OpenAI) -> None:
    projects = client.admin.organization.projects
    kept, gone = projects.create(name="kept"), projects.create(name="gone")
    archived = projects.archive(gone.id)
    assert archived.status == "archived"
    assert archived.archived_at is not None
    assert projects.archive(gone.id) == archived
    assert [each.id for each in projects.list()] == [kept.id]
    assert {each.id for each in projects.list(include_archived=True)} == {kept.id, gone.id}
    for change in (
        lambda: projects.update(gone.id, name="x"),
        lambda: projects.service_accounts.create(gone.id, name="x"),
        lambda: projects.spend_limit.update(gone.id, threshold_amount=1, currency="USD", interval="month"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            change()
        assert refused.value.code == "project_archived"


def test_project_record_every_change_raises_version_and_is_audited(
    client: openai.OpenAI, gateway: AdminGateway
) -> None:
    projects = client.admin.organization.projects
    made = projects.create(name="a")
    projects.update(made.id, name="b")
    projects.spend_limit.update(made.id, threshold_amount=100, currency="USD", interval="month")
    projects.archive(made.id)
    record = gateway.redis.hgetall(gateway.layout.project(made.id))
    assert record[b"v"] == b"4"
    assert json.loads(record[b"data"]) == {
        "id": made.id,
        "version": 4,
        "name": "b",
        "created": made.created_at,
        "archived_at": json.loads(record[b"data"])["archived_at"],
        "spend_limit": {"limit_nano": 10**9, "interval": "month"},
    }
    audit = [fields for _, fields in gateway.redis.xrange(gateway.layout.shared("audit"))]
    assert [entry[b"event"].decode() for entry in audit] == [
        "project.created",
        "project.updated",
        "project.spend_limit.updated",
        "project.archived",
    ]
    assert {entry[b"target"].decode() for entry in audit} == {made.id}
    assert all(b'"name":"admin"' in entry[b"actor"] and entry[b"request_id"].startswith(b"req_") for entry in audit)


def test_project_limit_set_read_removed(client: openai.OpenAI) -> None:
    projects = client.admin.organization.projects
    project = projects.create(name="a")
    with pytest.raises(openai.NotFoundError):
        projects.spend_limit.retrieve(project.id)
    limit = projects.spend_limit.update(project.id, threshold_amount=2500, currency="USD", interval="month")
    assert (limit.object, limit.threshold_amount, limit.currency) == ("project.spend_limit", 2500, "USD")
    assert (limit.interval, limit.enforcement.status) == ("month", "inactive")
    assert projects.spend_limit.retrieve(project.id) == limit
    gone = projects.spend_limit.delete(project.id)
    assert (gone.deleted, gone.object) == (True, "project.spend_limit.deleted")
    with pytest.raises(openai.NotFoundError):
        projects.spend_limit.delete(project.id)


def test_organization_limit_set_read_removed(client: openai.OpenAI) -> None:
    spend_limit = client.admin.organization.spend_limit
    limit = spend_limit.update(threshold_amount=1, currency="USD", interval="month")
    assert (limit.object, limit.threshold_amount) == ("organization.spend_limit", 1)
    assert spend_limit.retrieve() == limit
    assert spend_limit.delete().object == "organization.spend_limit.deleted"
    with pytest.raises(openai.NotFoundError):
        spend_limit.retrieve()


def test_project_limit_used_up_is_enforcing(client: openai.OpenAI, gateway: AdminGateway, http: httpx2.Client) -> None:
    project = client.admin.organization.projects.create(name="a")
    client.admin.organization.projects.spend_limit.update(
        project.id, threshold_amount=3, currency="USD", interval="month"
    )
    seconds, _ = gateway.redis.time()
    field = used_field("money", window_at("month", seconds * 1000))
    for used, status in ((3 * NANO_PER_CENT - 1, "inactive"), (3 * NANO_PER_CENT, "enforcing")):
        gateway.redis.hset(gateway.layout.spent(f"p:{project.id}"), field, used)
        found = http.get(f"/projects/{project.id}/spend_limit")
        assert found.json()["enforcement"] == {"status": status}
    assert '"used_amount":3}' in found.text


@pytest.mark.parametrize(
    ("cents", "limit_nano"),
    [("0.05", 500_000), ("0", 0), ("12.5", 125_000_000), ("0.0000001", 1), ("900000000", 9 * 10**15)],
)
def test_project_limit_fraction_of_a_cent_is_exact(
    client: openai.OpenAI, gateway: AdminGateway, http: httpx2.Client, cents: str, limit_nano: int
) -> None:
    project = client.admin.organization.projects.create(name="a")
    body = f'{{"threshold_amount":{cents},"currency":"USD","interval":"month"}}'
    answer = http.post(f"/projects/{project.id}/spend_limit", content=body)
    assert f'"threshold_amount":{cents},' in answer.text
    record = json.loads(gateway.redis.hget(gateway.layout.project(project.id), "data") or b"")
    assert record["spend_limit"]["limit_nano"] == limit_nano


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"threshold_amount": None}, "threshold_amount", "missing_required_parameter"),
        ({"threshold_amount": "12"}, "threshold_amount", "invalid_type"),
        ({"threshold_amount": True}, "threshold_amount", "invalid_type"),
        ({"threshold_amount": -1}, "threshold_amount", "integer_below_min_value"),
        ({"threshold_amount": 900_000_001}, "threshold_amount", "integer_above_max_value"),
        ({"threshold_amount": 1e300}, "threshold_amount", "decimal_above_max_value"),
        ({"threshold_amount": 1e-8}, "threshold_amount", "invalid_value"),
        ({"currency": "EUR"}, "currency", "invalid_value"),
        ({"interval": "day"}, "interval", "invalid_value"),
        ({"interval": 7}, "interval", "invalid_type"),
        ({"project_id": "proj_1"}, "project_id", "unknown_parameter"),
    ],
)
def test_project_limit_bad_parameter_is_refused_by_name(
    client: openai.OpenAI, http: httpx2.Client, change: dict[str, object], param: str, code: str
) -> None:
    project = client.admin.organization.projects.create(name="a")
    body = {"threshold_amount": 1, "currency": "USD", "interval": "month", **change}
    answer = http.post(f"/projects/{project.id}/spend_limit", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
