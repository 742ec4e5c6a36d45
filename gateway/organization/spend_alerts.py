"""Endpoints of spend alerts: an amount of money per month at which somebody is told, of organisation or project.

OpenAI's objects. Its only channel is e-mail, which the gateway does not send: recipients and subject go to the webhook
with the alert. Alerts that were raised, and a test of the webhook, are ours.
"""

from collections.abc import Sequence

import msgspec

from gateway.alerts.owners import spend_alerts_key
from gateway.alerts.queue import MOST_ALERTS, TEST, AlertQueue, RaisedAlert, RaisedEvent, event_text
from gateway.core.alerts import ReachedThreshold, SpendAlert
from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.limits import LARGEST_LIMIT
from gateway.organization.change import Change
from gateway.organization.exchange import Question
from gateway.organization.listing import cut_part, object_list, read_part
from gateway.organization.money import NANO_PER_CENT, cents, cents_to_nano
from gateway.organization.objects import Deleted, ObjectList
from gateway.organization.parameters import Body, missing_parameter
from gateway.organization.registry import new_id, text
from gateway.store.stored import stored

_MOST_OF_A_SCOPE = 100
_MOST_RECIPIENTS = 20

_decode = stored(SpendAlert, "alert")


class Channel(msgspec.Struct, kw_only=True):
    """Whom to tell. `type` is `email`, the only one OpenAI knows."""

    type: str = "email"
    recipients: Sequence[str]
    subject_prefix: str | None


class SpendAlertObject(msgspec.Struct, kw_only=True):
    """A spend alert; the amount is in cents."""

    id: str
    object: str
    threshold_amount: msgspec.Raw
    currency: str = "USD"
    interval: str = "month"
    notification_channel: Channel


class RaisedObject(msgspec.Struct, kw_only=True):
    """An alert that was raised. `data` is what was told of it; null for a test."""

    id: str
    object: str = "organization.alert"
    type: str
    created_at: int
    message: str
    data: ReachedThreshold | None


async def create_spend_alert(question: Question) -> SpendAlertObject:
    """POST /spend_alerts, /projects/{project_id}/spend_alerts"""
    registry = question.service.registry
    asked = _read(question.body)
    alert = msgspec.structs.replace(asked, id=new_id("alert_"), created=await registry.now())
    await _store(question, "created", None, alert)
    return _object(question, alert)


async def list_spend_alerts(question: Question) -> ObjectList[SpendAlertObject]:
    """GET /spend_alerts, /projects/{project_id}/spend_alerts"""
    part = read_part(question.query)
    question.query.done()
    if (project_id := question.path.get("project_id")) is not None:
        await question.service.registry.project(project_id)
    found = await question.service.registry.store.command("HVALS", _key(question))
    alerts = sorted((_decode(data) for data in found), key=lambda alert: (alert.created, alert.id))
    return cut_part([_object(question, alert) for alert in alerts], part)


async def retrieve_spend_alert(question: Question) -> SpendAlertObject:
    """GET …/spend_alerts/{alert_id}"""
    question.query.done()
    return _object(question, await _find(question))


async def update_spend_alert(question: Question) -> SpendAlertObject:
    """POST …/spend_alerts/{alert_id}"""
    asked = _read(question.body)
    before = await _find(question)
    alert = msgspec.structs.replace(asked, id=before.id, created=before.created)
    await _store(question, "updated", before, alert)
    return _object(question, alert)


async def delete_spend_alert(question: Question) -> Deleted:
    """DELETE …/spend_alerts/{alert_id}"""
    before = await _find(question)
    await _store(question, "deleted", before, None)
    return Deleted(id=before.id, object=f"{_object_type(question)}.deleted")


async def list_raised_alerts(question: Question) -> ObjectList[RaisedObject]:
    """GET /alerts: those raised lately, newest first."""
    limit = question.query.integer("limit", 1, 100) or 20
    question.query.done()
    registry = question.service.registry
    found = await AlertQueue(registry.store, registry.layout).history(limit)
    return object_list([_raised_object(alert) for alert in found], has_more=False)


async def test_webhook(question: Question) -> RaisedObject:
    """POST /alerts/test: raise an alert that means nothing, so that its way to the receiver can be looked at."""
    question.body.done()
    if not question.service.has_webhook():
        raise InvalidRequest("No webhook is configured: set `alerts.webhook_url`.", code="no_webhook")
    registry = question.service.registry
    event = RaisedEvent(TEST, await registry.now())
    change = Change()
    arguments = ("MAXLEN", "=", MOST_ALERTS, "*", "event", event_text(event))
    change.write("XADD", registry.layout.shared("alerts"), *arguments)
    change.audit(registry.audit_stream, question.actor, "alert.tested", "alerts", {})
    await change.apply(registry.store)
    newest = (await AlertQueue(registry.store, registry.layout).history(1))[0]
    return _raised_object(newest)


async def _store(question: Question, verb: str, before: SpendAlert | None, after: SpendAlert | None) -> None:
    registry, key = question.service.registry, _key(question)
    alert = after or before
    if alert is None:
        raise AssertionError("nothing is created, updated or deleted")
    project_id = question.path.get("project_id")

    async def build() -> tuple[Change, None]:
        change = Change()
        if project_id is not None:
            project = await registry.active_project(project_id)
            change.expect(registry.layout.project(project_id), "v", str(project.version))
        if before is None and await registry.store.command("HLEN", key) >= _MOST_OF_A_SCOPE:
            raise InvalidRequest(f"There are {_MOST_OF_A_SCOPE} spend alerts already.", code="too_many_spend_alerts")
        change.expect(key, alert.id, None if before is None else text(before))
        if after is None:
            change.write("HDEL", key, alert.id)
        else:
            change.write("HSET", key, alert.id, text(after))
        change.show(key, alert.id)
        details = {"project": project_id, "threshold_nano": alert.threshold_nano, "recipients": len(alert.recipients)}
        change.audit(registry.audit_stream, question.actor, f"spend_alert.{verb}", alert.id, details)
        return change, None

    await registry.perform(build)


async def _find(question: Question) -> SpendAlert:
    alert_id = question.path["alert_id"]
    data = await question.service.registry.store.command("HGET", _key(question), alert_id)
    if not data:
        raise NotFound(f"No such spend alert: '{alert_id}'.", code="not_found")
    return _decode(data)


def _key(question: Question) -> str:
    return spend_alerts_key(question.service.registry.layout, question.path.get("project_id"))


def _object_type(question: Question) -> str:
    return f"{'project' if 'project_id' in question.path else 'organization'}.spend_alert"


def _object(question: Question, alert: SpendAlert) -> SpendAlertObject:
    return SpendAlertObject(
        id=alert.id,
        object=_object_type(question),
        threshold_amount=cents(alert.threshold_nano),
        notification_channel=Channel(recipients=alert.recipients, subject_prefix=alert.subject_prefix),
    )


def _raised_object(alert: RaisedAlert) -> RaisedObject:
    data = alert.event.data
    return RaisedObject(
        id=alert.id,
        type=alert.event.type,
        created_at=alert.event.created,
        message="A test of the webhook." if data is None else data.sentence(),
        data=data,
    )


def _read(body: Body) -> SpendAlert:
    amount = body.required_number("threshold_amount", 0, LARGEST_LIMIT // NANO_PER_CENT)
    body.required_choice("currency", ("USD",))
    body.required_choice("interval", ("month",))
    channel = body.nested("notification_channel")
    body.done()
    if channel is None:
        raise missing_parameter("notification_channel")
    channel.required_choice("type", ("email",))
    recipients = channel.texts("recipients", _MOST_RECIPIENTS) or ()
    subject_prefix = channel.text("subject_prefix")
    channel.done()
    nano = cents_to_nano(amount)
    if not nano:
        raise InvalidRequest(
            "Invalid 'threshold_amount': it must be more than nothing, and not finer than 0.0000001 cents.",
            param="threshold_amount",
            code="invalid_value",
        )
    return SpendAlert("", 0, nano, recipients, subject_prefix)
