"""Spend alerts over HTTP through the official SDK: made, read, changed, listed, deleted; raised ones and the test."""

import httpx2
import openai
import pytest
from support.admin_gateway import AdminGateway

CHANNEL = {"type": "email", "recipients": ["a@example.org"], "subject_prefix": "[llm]"}
AMOUNT = {"threshold_amount": 2000, "currency": "USD", "interval": "month"}


def test_spend_alerts_of_the_organization_live_their_life(client: openai.OpenAI) -> None:
    alerts = client.admin.organization.spend_alerts
    made = alerts.create(notification_channel=CHANNEL, **AMOUNT)  # type: ignore[arg-type]  # as a user writes it
    assert (made.object, made.threshold_amount, made.interval, made.currency) == (
        "organization.spend_alert", 2000, "month", "USD",
    )  # fmt: skip
    assert (made.notification_channel.recipients, made.notification_channel.subject_prefix) == (
        ["a@example.org"],
        "[llm]",
    )
    assert alerts.retrieve(made.id) == made
    changed = alerts.update(
        made.id, notification_channel={"type": "email", "recipients": ["b@example.org"]},
        **{**AMOUNT, "threshold_amount": 3000},  # type: ignore[arg-type]  # as above
    )  # fmt: skip
    assert (changed.id, changed.threshold_amount, changed.notification_channel.subject_prefix) == (made.id, 3000, None)
    second = alerts.create(notification_channel=CHANNEL, **AMOUNT)  # type: ignore[arg-type]  # as above
    assert {each.id for each in alerts.list(limit=1)} == {made.id, second.id}
    gone = alerts.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "organization.spend_alert.deleted", True)
    with pytest.raises(openai.NotFoundError):
        alerts.retrieve(made.id)


def test_spend_alerts_of_a_project_are_its_own(client: openai.OpenAI) -> None:
    organization = client.admin.organization
    project, other = (organization.projects.create(name=name).id for name in ("one", "two"))
    alerts = organization.projects.spend_alerts
    made = alerts.create(project, notification_channel=CHANNEL, **AMOUNT)  # type: ignore[arg-type]  # as a user does
    assert made.object == "project.spend_alert"
    assert [each.id for each in alerts.list(project)] == [made.id]
    assert list(alerts.list(other)) == []
    assert list(organization.spend_alerts.list()) == []
    with pytest.raises(openai.NotFoundError):
        alerts.retrieve(made.id, project_id=other)
    organization.projects.archive(project)
    with pytest.raises(openai.BadRequestError):
        alerts.create(project, notification_channel=CHANNEL, **AMOUNT)  # type: ignore[arg-type]  # as above
    with pytest.raises(openai.NotFoundError):
        alerts.list("proj_none")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"threshold_amount": 0}, "threshold_amount"),
        ({"threshold_amount": -1}, "threshold_amount"),
        ({"currency": "EUR"}, "currency"),
        ({"interval": "day"}, "interval"),
        ({"notification_channel": None}, "notification_channel"),
        ({"notification_channel": {"type": "webhook", "url": "http://x"}}, "type"),
        ({"notification_channel": {**CHANNEL, "url": "http://192.0.2.1/"}}, "url"),
        ({"notification_channel": {**CHANNEL, "recipients": ["x"] * 21}}, "recipients"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_spend_alerts_that_make_no_sense_are_refused(
    http: httpx2.Client, changes: dict[str, object], param: str
) -> None:
    refused = http.post("/spend_alerts", json={**AMOUNT, "notification_channel": CHANNEL, **changes})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_spend_alerts_of_a_scope_are_bounded(http: httpx2.Client) -> None:
    body = {**AMOUNT, "notification_channel": {"type": "email"}}
    assert {http.post("/spend_alerts", json=body).status_code for _ in range(100)} == {200}
    refused = http.post("/spend_alerts", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "too_many_spend_alerts")


def test_alerts_raised_are_listed_and_a_test_is_one(http: httpx2.Client, gateway: AdminGateway) -> None:
    assert http.get("/alerts").json()["data"] == []
    made = http.post("/alerts/test", json={}).json()
    assert (made["type"], made["data"], made["message"]) == ("alert.test", None, "A test of the webhook.")
    assert [each["id"] for each in http.get("/alerts", params={"limit": 5}).json()["data"]] == [made["id"]]
    (entry,) = http.get("/audit_logs").json()["data"]
    assert entry["type"] == "alert.tested"
    assert gateway.redis.xlen(gateway.layout.shared("alerts")) == 1
