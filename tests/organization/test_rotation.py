"""Rotation of a key's secret: the new one works at once, the old one for its grace, and every change reaches both."""

import json
import time
from typing import Any

import httpx2
import openai
import pytest
from support.admin_gateway import AdminGateway

from gateway.keys import hash_secret


@pytest.fixture
def key(client: openai.OpenAI, http: httpx2.Client) -> tuple[str, str]:
    """The path of a key and its secret."""
    http.get("/limits")  # the organisation's record is made by whoever asks for it first
    project = client.admin.organization.projects.create(name="team")
    made = client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    return f"/projects/{project.id}/api_keys/{made.api_key.id}", made.api_key.value


def status(http: httpx2.Client, secret: str) -> int:
    """How a virtual key fares at the one endpoint of the admin API that takes it."""
    return http.get("/limits/me", headers={"authorization": f"Bearer {secret}"}).status_code


def rotate(http: httpx2.Client, path: str, **body: Any) -> dict[str, Any]:  # an answer's members
    answer = http.post(f"{path}/rotate", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()  # likewise
    return found


def test_rotation_gives_a_new_secret_and_keeps_everything_else(http: httpx2.Client, key: tuple[str, str]) -> None:
    path, old = key
    http.post(path, json={"limits": [{"kind": "requests", "window": "minute", "limit": 5}], "tags": {"a": "b"}})
    before = http.get(path).json()
    made = rotate(http, path)
    assert made["value"] not in (old, "")
    assert made["previous_valid_until"] == pytest.approx(time.time() + 86_400, abs=60)
    after = http.get(path).json()
    changed = {"redacted_value": f"sk-…{made['value'][-4:]}", "previous_valid_until": made["previous_valid_until"]}
    assert after == {**before, **changed}
    assert (status(http, old), status(http, made["value"])) == (200, 200)


def test_rotation_without_grace_ends_the_old_secret_at_once(http: httpx2.Client, key: tuple[str, str]) -> None:
    path, old = key
    made = rotate(http, path, grace_seconds=0)
    assert made["previous_valid_until"] is None
    assert (status(http, old), status(http, made["value"])) == (401, 200)


def test_every_change_reaches_both_secrets(http: httpx2.Client, key: tuple[str, str]) -> None:
    path, old = key
    new = rotate(http, path)["value"]
    http.post(path, json={"disabled": True})
    assert (status(http, old), status(http, new)) == (401, 401)
    http.post(path, json={"disabled": False, "limits": [{"kind": "tokens", "window": "day", "limit": 7}]})
    for secret in (old, new):
        mine = http.get("/limits/me", headers={"authorization": f"Bearer {secret}"}).json()["data"]
        assert [each["limit"] for each in mine] == [7]
    http.delete(path)
    assert (status(http, old), status(http, new)) == (401, 401)


def test_owner_deleted_revokes_both_secrets(http: httpx2.Client, key: tuple[str, str]) -> None:
    path, old = key
    new = rotate(http, path)["value"]
    account = http.get(path).json()["owner"]["service_account"]["id"]
    http.delete(f"{path.partition('/api_keys')[0]}/service_accounts/{account}")
    assert (status(http, old), status(http, new)) == (401, 401)


def test_second_rotation_ends_the_first_secret(http: httpx2.Client, key: tuple[str, str]) -> None:
    path, first = key
    second = rotate(http, path)["value"]
    third = rotate(http, path)["value"]
    assert [status(http, secret) for secret in (first, second, third)] == [401, 200, 200]


def test_changes_after_the_grace_leave_the_old_record_alone(
    http: httpx2.Client, gateway: AdminGateway, key: tuple[str, str]
) -> None:
    path, old = key
    rotate(http, path, grace_seconds=1)
    until = http.get(path).json()["previous_valid_until"]
    while int(gateway.redis.time()[0]) <= until:  # the store's clock decides, and it is not ours to set
        time.sleep(0.05)
    assert status(http, old) == 401
    place = gateway.layout.key(hash_secret(old))
    left = gateway.redis.hgetall(place)
    assert gateway.redis.ttl(place) > 0
    assert http.post(path, json={"name": "new"}).json()["previous_valid_until"] is None
    assert gateway.redis.hgetall(place) == left


def test_old_secret_never_outlives_the_key(http: httpx2.Client, gateway: AdminGateway, key: tuple[str, str]) -> None:
    path, old = key
    ends = http.post(path, json={"expires_in_seconds": 60}).json()["expires_at"]
    rotate(http, path)
    record = json.loads(gateway.redis.hget(gateway.layout.key(hash_secret(old)), "data"))
    assert record["expires_at"] == ends


def test_rotation_is_refused_where_it_makes_no_sense(http: httpx2.Client, key: tuple[str, str]) -> None:
    path, _ = key
    assert http.post(f"{path}/rotate", json={"grace_seconds": -1}).status_code == 400
    assert http.post(f"{path}/rotate", json={"grace": 1}).json()["error"]["code"] == "unknown_parameter"
    http.delete(path)
    assert http.post(f"{path}/rotate").status_code == 404


def test_no_secret_is_in_the_store_or_the_audit(
    http: httpx2.Client, gateway: AdminGateway, key: tuple[str, str]
) -> None:
    new = rotate(http, key[0])["value"]
    everything = b"".join(gateway.redis.dump(name) or b"" for name in gateway.redis.scan_iter("*"))
    assert new.encode() not in everything
    events = [entry[b"event"] for _, entry in gateway.redis.xrange(gateway.layout.shared("audit"))]
    assert events[-1] == b"api_key.rotated"
