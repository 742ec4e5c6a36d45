"""An administrator's day with the official Python SDK, run against a gateway: what each step gave, as one JSON object.

A program of its own, like sdk_scenarios.py; node/admin_scenarios.mjs does the same steps and has to say the same. Reads
OPENAI_BASE_URL and OPENAI_ADMIN_KEY. Answers are validated strictly against the SDK's own types.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import openai
from openai import OpenAI

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
CHANNEL: Any = {"type": "email", "recipients": ["team@example.org"]}
MONTHLY: Any = {"currency": "USD", "interval": "month"}
strict: Any = {"_strict_response_validation": True, "max_retries": 0, "timeout": 30}
admin = OpenAI(admin_api_key=os.environ["OPENAI_ADMIN_KEY"], **strict).admin.organization
# Not strictly: types of entries are some of ours, and a limit that is not set is null; the SDK's types know neither.
lenient: Any = OpenAI(admin_api_key=os.environ["OPENAI_ADMIN_KEY"], max_retries=0).admin.organization
audit = lenient.audit_logs


def refusal(ask: Callable[[], object]) -> list[Any]:
    """Class, status, code and parameter of the error that `ask` raises."""
    try:
        ask()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param]
    return ["nothing was refused"]


def chat(key: str) -> str | None:
    completion = OpenAI(api_key=key, **strict).chat.completions.create(model="auto", messages=HELLO, max_tokens=16)
    return completion.choices[0].finish_reason


def projects() -> dict[str, Any]:
    made = [admin.projects.create(name=f"day {number}") for number in range(3)]
    ids = [project.id for project in made]
    renamed = admin.projects.update(ids[0], name="renamed")
    archived = admin.projects.archive(ids[1])
    return {
        "paged": {each.id for each in admin.projects.list(limit=2)} & set(ids) == {ids[0], ids[2]},
        "with_archived": len([each for each in admin.projects.list(include_archived=True) if each.id in ids]),
        "retrieved": admin.projects.retrieve(ids[0]).name == renamed.name == "renamed",
        "archived": [archived.status, archived.archived_at is not None],
        "change_archived": refusal(lambda: admin.projects.update(ids[1], name="x")),
        "unknown": refusal(lambda: admin.projects.retrieve("proj_none")),
        "nameless": refusal(lambda: admin.projects.create(name="")),
    }


def service_accounts() -> dict[str, Any]:
    project, accounts = admin.projects.create(name="accounts").id, admin.projects.service_accounts
    first = accounts.create(project, name="first")
    bare = accounts.create(project, name="bare", create_service_account_only=True)
    second = accounts.api_keys.create(first.id, project_id=project, name="second", expires_in_seconds=3600)
    renamed = accounts.update(first.id, project_id=project, name="robot")
    assert first.api_key is not None
    first_secret = first.api_key.value
    worked = [chat(first_secret), chat(second.value)]
    gone = accounts.delete(first.id, project_id=project)
    return {
        "roles": [first.role, bare.role],
        "bare": bare.api_key is None,
        "renamed": renamed.name,
        "listed": [each.name for each in accounts.list(project)],
        "worked": worked,
        "deleted": [gone.object, gone.deleted, gone.id == first.id],
        "keys_of_deleted": [refusal(lambda: chat(first_secret)), refusal(lambda: chat(second.value))],
        "retrieve_deleted": refusal(lambda: accounts.retrieve(first.id, project_id=project)),
    }


def api_keys() -> dict[str, Any]:
    project, keys = admin.projects.create(name="keys").id, admin.projects.api_keys
    made = [admin.projects.service_accounts.create(project, name=f"k{number}").api_key for number in range(3)]
    ids, values = [key.id for key in made if key], [key.value for key in made if key]
    found = keys.retrieve(ids[0], project_id=project)
    expiring = keys.update(ids[0], project_id=project, expires_in_seconds=60)
    before = chat(values[1])
    gone = keys.delete(ids[1], project_id=project)
    return {
        "redacted": found.redacted_value == f"sk-…{values[0][-4:]}",
        "owner": [found.owner.type, found.owner.service_account.name if found.owner.service_account else None],
        "access": found.owner_project_access,
        "expires": 0 < (expiring.expires_at or 0) - time.time() < 90,
        "before": before,
        "deleted": [gone.object, gone.deleted, gone.id == ids[1]],
        "after": refusal(lambda: chat(values[1])),
        "listed": sorted(each.name or "" for each in keys.list(project, limit=1)),
        "elsewhere": refusal(lambda: keys.retrieve(ids[0], project_id=admin.projects.create(name="other").id)),
    }


def admin_api_keys() -> dict[str, Any]:
    made = admin.admin_api_keys.create(name="deputy", expires_in_seconds=3600)
    deputy = OpenAI(admin_api_key=made.value, **strict).admin.organization
    project = deputy.projects.create(name="by the deputy")
    (entry, *_) = admin.audit_logs.list(resource_ids=[project.id])
    by = entry.actor.api_key.id if entry.actor and entry.actor.api_key else None
    used = admin.admin_api_keys.retrieve(made.id)
    gone = admin.admin_api_keys.delete(made.id)
    return {
        "value": [made.value.startswith("sk-admin-"), made.object],
        "expires": made.expires_at is not None,
        "acted": by == made.id,
        "used": used.last_used_at is not None,
        "redacted": made.value not in json.dumps(used.to_dict()),
        "deleted": [gone.object, gone.deleted, gone.id == made.id],
        "after": refusal(deputy.projects.list),
        "left": made.id in [each.id for each in admin.admin_api_keys.list(limit=1, order="desc")],
        "virtual_key": refusal(lambda: OpenAI(admin_api_key="sk-wrong", **strict).admin.organization.projects.list()),
    }


def rate_limits() -> dict[str, Any]:
    project, limits = admin.projects.create(name="rates").id, lenient.projects.rate_limits
    listed = list(limits.list_rate_limits(project, limit=2))
    changed = limits.update_rate_limit(listed[0].id, project_id=project, max_requests_per_1_minute=1)
    return {
        "objects": sorted({each.object for each in listed}),
        "several": len({each.model for each in listed}) == len(listed) > 2,
        "changed": [changed.id == listed[0].id, changed.max_requests_per_1_minute],
        "kept": limits.list_rate_limits(project, limit=1).data[0].max_requests_per_1_minute,
        "unknown": refusal(
            lambda: limits.update_rate_limit("rl_none", project_id=project, max_requests_per_1_minute=1)
        ),
    }


def spend_limits() -> dict[str, Any]:
    project, limits = admin.projects.create(name="budget").id, admin.projects.spend_limit
    key = admin.projects.service_accounts.create(project, name="spender").api_key
    assert key is not None
    none = refusal(lambda: limits.retrieve(project))
    limit = limits.update(project, threshold_amount=0, **MONTHLY)
    over = refusal(lambda: chat(key.value))
    limits.update(project, threshold_amount=500, **MONTHLY)
    gone = limits.delete(project)
    whole = admin.spend_limit.update(threshold_amount=90_000, **MONTHLY)
    whole_read = admin.spend_limit.retrieve()
    whole_gone = admin.spend_limit.delete()
    return {
        "none": none,
        "limit": [limit.object, limit.threshold_amount, limit.interval, limit.currency, limit.enforcement.status],
        "over": over,
        "deleted": [gone.object, gone.deleted],
        "after": chat(key.value),
        "organization": [whole.object, whole_read.threshold_amount, whole_gone.object, whole_gone.deleted],
        "euros": refusal(lambda: limits.update(project, threshold_amount=1, currency="EUR", interval="month")),  # type: ignore[arg-type]  # what is refused
    }


def spend_alerts() -> dict[str, Any]:
    project = admin.projects.create(name="alerts").id
    alerts, whole = admin.projects.spend_alerts, admin.spend_alerts
    made = [
        alerts.create(project, threshold_amount=100 * number, notification_channel=CHANNEL, **MONTHLY)
        for number in (1, 2, 3)
    ]
    changed = alerts.update(
        made[0].id, project_id=project, threshold_amount=150, notification_channel=CHANNEL, **MONTHLY
    )
    gone = alerts.delete(made[1].id, project_id=project)
    top = whole.create(threshold_amount=100_000, notification_channel=CHANNEL, **MONTHLY)
    read = whole.retrieve(top.id)
    top_gone = whole.delete(top.id)
    return {
        "made": [made[0].object, made[0].threshold_amount, made[0].notification_channel.recipients],
        "changed": [changed.threshold_amount, alerts.retrieve(made[0].id, project_id=project).threshold_amount],
        "deleted": [gone.object, gone.deleted],
        "listed": sorted(each.threshold_amount for each in alerts.list(project, limit=1)),
        "organization": [read.object, read.threshold_amount, top_gone.object, top_gone.deleted],
        "gone": refusal(lambda: alerts.retrieve(made[1].id, project_id=project)),
        "nothing": refusal(lambda: alerts.create(project, threshold_amount=0, notification_channel=CHANNEL, **MONTHLY)),
    }


def usage_and_costs() -> dict[str, Any]:
    project = admin.projects.create(name="usage").id
    keys = [admin.projects.service_accounts.create(project, name=f"u{number}").api_key for number in range(2)]
    for key, times in zip(keys, (2, 1), strict=True):
        for _ in range(times):
            chat(key.value if key else "")
    start = int(time.time()) - 86_400
    deadline = time.monotonic() + 20
    while True:
        report = admin.usage.completions(start_time=start, project_ids=[project], group_by=["api_key_id"])
        results: list[Any] = [each for bucket in report.data for each in bucket.results]
        if sum(each.num_model_requests for each in results) == 3 or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    costs = admin.usage.costs(start_time=start, project_ids=[project], group_by=["line_item"])
    amounts: list[Any] = [each for bucket in costs.data for each in bucket.results]
    first = admin.usage.completions(start_time=start - 5 * 86_400, bucket_width="1d", limit=2)
    second = admin.usage.completions(
        start_time=start - 5 * 86_400, bucket_width="1d", limit=2, page=first.next_page or ""
    )
    return {
        "requests": sorted(each.num_model_requests for each in results),
        "tokens": all(each.input_tokens > 0 and each.output_tokens > 0 for each in results),
        "keys": sorted(each.api_key_id for each in results) == sorted(key.id for key in keys if key),
        "money": [
            sum(each.amount.value for each in amounts) > 0,
            {each.amount.currency for each in amounts} == {"usd"},
        ],
        "line_items": all(each.line_item.startswith("@cf/") for each in amounts),
        "pages": [first.has_more, second.data[0].start_time == first.data[-1].end_time],
        "no_start": refusal(lambda: admin.usage.completions(start_time=None)),  # type: ignore[arg-type]  # what is refused
    }


def audit_logs() -> dict[str, Any]:
    before = int(time.time()) - 1
    project = admin.projects.create(name="audited").id
    admin.projects.update(project, name="audited twice")
    admin.projects.spend_limit.update(project, threshold_amount=700, **MONTHLY)
    admin.projects.archive(project)
    logs = list(audit.list(project_ids=[project], limit=2))
    created = list(admin.audit_logs.list(project_ids=[project], event_types=["project.created"]))
    return {
        "types": [entry.type for entry in logs],
        "project": [logs[0].project.id == project, logs[0].project.name],
        "actor": [logs[0].actor.type, logs[0].actor.api_key.id, logs[0].actor.ip_address],
        "outcomes": sorted({entry.outcome for entry in logs}),
        "change": logs[2].changes[0]["after"],
        "member": [created[0].project_created.id == project if created[0].project_created else None, len(created)],
        "recent": all(entry.effective_at >= before for entry in logs),
        "later": len(list(audit.list(project_ids=[project], effective_at={"gt": before + 600}))),
    }


STEPS = (
    projects,
    service_accounts,
    api_keys,
    admin_api_keys,
    rate_limits,
    spend_limits,
    spend_alerts,
    usage_and_costs,
    audit_logs,
)

if __name__ == "__main__":
    wanted = sys.argv[1:] or [step.__name__ for step in STEPS]
    print(json.dumps({step.__name__: step() for step in STEPS if step.__name__ in wanted}))
