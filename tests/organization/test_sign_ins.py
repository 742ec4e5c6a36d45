"""Signing in to the dashboard with an admin key is in the audit, with a virtual key not; in vain it is counted."""

import httpx2
import openai
import pytest
from support.admin_gateway import ADMIN_KEY, AdminGateway


def sign_in(gateway: AdminGateway, key: str) -> int:
    return httpx2.post(f"{gateway.url}/dashboard/session", json={"key": key}, trust_env=False).status_code


def test_sign_in_of_an_administrator_is_in_the_audit(
    gateway: AdminGateway, http: httpx2.Client, client: openai.OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    http.get("/limits")  # makes the organisation
    deputy = client.admin.organization.admin_api_keys.create(name="deputy")
    project = client.admin.organization.projects.create(name="team").id
    virtual = client.admin.organization.projects.service_accounts.create(project, name="bot").api_key
    assert virtual is not None
    assert [sign_in(gateway, key) for key in (ADMIN_KEY, deputy.value, virtual.value, "sk-none")] == [200] * 3 + [401]
    entries = http.get("/audit_logs", params={"event_types": "login.succeeded"}).json()["data"]
    assert [(entry["actor"]["type"], entry["actor"]["name"]) for entry in entries] == [
        ("session", "deputy"),
        ("session", "admin"),
    ]
    assert entries[0]["actor"]["ip_address"] == "127.0.0.1"
    assert deputy.value not in str(entries)
    # Others may have failed before, and are told in the same line.
    (line,) = [record.getMessage() for record in caplog.records if "authentication failed" in record.getMessage()]
    assert line.startswith("admin authentication failed: /dashboard/session from 127.0.0.1")
