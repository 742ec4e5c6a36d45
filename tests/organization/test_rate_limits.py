"""Rate limits per project and model through the official SDK."""

import httpx2
import openai
import pytest
from openai.types.admin.organization import Project
from openai.types.admin.organization.projects import ProjectRateLimit
from support.admin_gateway import CATALOG

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"


@pytest.fixture
def project(client: openai.OpenAI) -> Project:
    return client.admin.organization.projects.create(name="team")


def of_model(found: list[ProjectRateLimit], model: str) -> ProjectRateLimit:
    (one,) = [each for each in found if each.model == model]
    return one


def test_every_model_has_a_rate_limit_that_can_be_set(
    client: openai.OpenAI, http: httpx2.Client, project: Project
) -> None:
    rates = client.admin.organization.projects.rate_limits
    listed = list(rates.list_rate_limits(project.id))
    assert [each.model for each in listed] == list(CATALOG.models)
    one = of_model(listed, FP8)
    assert (one.object, one.id) == ("project.rate_limit", "rl-cf-meta-llama-3.1-8b-instruct-fp8")
    assert one.to_dict()["max_requests_per_1_minute"] is one.to_dict()["max_tokens_per_1_minute"] is None
    changed = rates.update_rate_limit(
        one.id, project_id=project.id, max_requests_per_1_minute=60, max_tokens_per_1_minute=9000,
        max_requests_per_1_day=500,
    )  # fmt: skip
    assert (changed.max_requests_per_1_minute, changed.max_tokens_per_1_minute) == (60, 9000)
    again = rates.update_rate_limit(one.id, project_id=project.id, max_tokens_per_1_minute=100)
    assert (again.max_requests_per_1_minute, again.max_tokens_per_1_minute) == (60, 100)
    assert of_model(list(rates.list_rate_limits(project.id)), FP8) == again
    limits = http.get(f"/projects/{project.id}/limits").json()["data"]
    assert {(each["kind"], each["window"], each["limit"], each["model"]) for each in limits} == {
        ("requests", "minute", 60, FP8),
        ("tokens", "minute", 100, FP8),
        ("requests", "day", 500, FP8),
    }
    path = f"/projects/{project.id}/rate_limits/{one.id}"
    assert http.post(path, json={"max_tokens_per_1_minute": None}).json()["max_tokens_per_1_minute"] is None
    assert http.post(path, json={}).json()["max_requests_per_1_minute"] == 60


def test_rate_limits_are_paged_forwards_and_backwards(client: openai.OpenAI, project: Project) -> None:
    rates = client.admin.organization.projects.rate_limits
    ids = [each.id for each in rates.list_rate_limits(project.id)]
    assert [each.id for each in rates.list_rate_limits(project.id, limit=2)] == ids
    before = rates.list_rate_limits(project.id, limit=2, before=ids[3])
    assert [each.id for each in before.data] == ids[1:3]
    between = rates.list_rate_limits(project.id, after=ids[0], before=ids[3])
    assert [each.id for each in between.data] == ids[1:3]
    with pytest.raises(openai.BadRequestError):
        rates.list_rate_limits(project.id, after="rl-nothing")


def test_rate_limits_that_make_no_sense_are_refused_by_name(client: openai.OpenAI, project: Project) -> None:
    rates = client.admin.organization.projects.rate_limits
    one = next(iter(rates.list_rate_limits(project.id)))
    with pytest.raises(openai.BadRequestError) as images:
        rates.update_rate_limit(one.id, project_id=project.id, max_images_per_1_minute=5)
    assert images.value.param == "max_images_per_1_minute"
    with pytest.raises(openai.BadRequestError):
        rates.update_rate_limit(one.id, project_id=project.id, max_requests_per_1_minute=-1)
    with pytest.raises(openai.NotFoundError):
        rates.update_rate_limit("rl-gpt-17", project_id=project.id, max_requests_per_1_minute=1)
    with pytest.raises(openai.NotFoundError):
        rates.list_rate_limits("proj_nobody")


def test_rate_limits_of_an_archived_project_cannot_be_changed(client: openai.OpenAI, project: Project) -> None:
    rates = client.admin.organization.projects.rate_limits
    one = next(iter(rates.list_rate_limits(project.id)))
    client.admin.organization.projects.archive(project.id)
    with pytest.raises(openai.BadRequestError):
        rates.update_rate_limit(one.id, project_id=project.id, max_requests_per_1_minute=1)
