"""The official SDKs' admin clients, Python and Node, drive everything the admin API has, and get the same from it."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from e2e.test_sdks import HERE, node_binary
from support.gateway import ADMIN_KEY, GatewayProcess
from support.needs import need

UNAUTHORIZED = ["AuthenticationError", 401, "invalid_api_key", None]
MISSING = ["NotFoundError", 404, "not_found", None]

EXPECTED: dict[str, dict[str, Any]] = {
    "projects": {
        "paged": True,
        "with_archived": 3,
        "retrieved": True,
        "archived": ["archived", True],
        "change_archived": ["BadRequestError", 400, "project_archived", None],
        "unknown": MISSING,
        "nameless": ["BadRequestError", 400, "empty_string", "name"],
    },
    "service_accounts": {
        "roles": ["member", "none"],
        "bare": True,
        "renamed": "robot",
        "listed": ["bare"],
        "worked": ["stop", "stop"],
        "deleted": ["organization.project.service_account.deleted", True, True],
        "keys_of_deleted": [UNAUTHORIZED, UNAUTHORIZED],
        "retrieve_deleted": MISSING,
    },
    "api_keys": {
        "redacted": True,
        "owner": ["service_account", "k0"],
        "access": "active",
        "expires": True,
        "before": "stop",
        "deleted": ["organization.project.api_key.deleted", True, True],
        "after": UNAUTHORIZED,
        "listed": ["k0", "k2"],
        "elsewhere": MISSING,
    },
    "admin_api_keys": {
        "value": [True, "organization.admin_api_key"],
        "expires": True,
        "acted": True,
        "used": True,
        "redacted": True,
        "deleted": ["organization.admin_api_key.deleted", True, True],
        "after": UNAUTHORIZED,
        "left": False,
        "virtual_key": UNAUTHORIZED,
    },
    "rate_limits": {
        "objects": ["project.rate_limit"],
        "several": True,
        "changed": [True, 1],
        "kept": 1,
        "unknown": MISSING,
    },
    "spend_limits": {
        "none": MISSING,
        "limit": ["project.spend_limit", 0, "month", "USD", "enforcing"],
        "over": ["RateLimitError", 429, "project_spend_limit_exceeded", None],
        "deleted": ["project.spend_limit.deleted", True],
        "after": "stop",
        "organization": ["organization.spend_limit", 90_000, "organization.spend_limit.deleted", True],
        "euros": ["BadRequestError", 400, "invalid_value", "currency"],
    },
    "spend_alerts": {
        "made": ["project.spend_alert", 100, ["team@example.org"]],
        "changed": [150, 150],
        "deleted": ["project.spend_alert.deleted", True],
        "listed": [150, 300],
        "organization": ["organization.spend_alert", 100_000, "organization.spend_alert.deleted", True],
        "gone": MISSING,
        "nothing": ["BadRequestError", 400, "invalid_value", "threshold_amount"],
    },
    "usage_and_costs": {
        "requests": [1, 2],
        "tokens": True,
        "keys": True,
        "money": [True, True],
        "line_items": True,
        "pages": [True, True],
        "no_start": ["BadRequestError", 400, "missing_required_parameter", "start_time"],
    },
    "audit_logs": {
        "types": ["project.archived", "project.spend_limit.updated", "project.updated", "project.created"],
        "project": [True, "audited twice"],
        "actor": ["api_key", "admin", "127.0.0.1"],
        "outcomes": ["succeeded"],
        "change": {"name": "audited twice"},
        "member": [True, 1],
        "recent": True,
        "later": 0,
    },
}


def command(sdk: str) -> list[str]:
    if sdk == "python":
        return [sys.executable, str(HERE / "admin_scenarios.py")]
    need(
        (HERE / "node" / "node_modules" / "openai").is_dir(),
        "the openai package for Node (npm install in tests/e2e/node)",
    )
    return [need(node_binary(), "Node"), str(HERE / "node" / "admin_scenarios.mjs")]


@pytest.fixture(scope="module", params=["python", "node"])
def results(request: pytest.FixtureRequest, product: GatewayProcess) -> dict[str, Any]:
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": product.base_url,
        "OPENAI_ADMIN_KEY": ADMIN_KEY,
        "NO_PROXY": "127.0.0.1",
    }
    run = subprocess.run(
        [*command(request.param), *EXPECTED], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("step", EXPECTED)
def test_admin_client_of_the_sdk(results: dict[str, Any], step: str) -> None:
    assert results[step] == EXPECTED[step]


def test_admin_clients_do_every_step(results: dict[str, Any]) -> None:
    assert results.keys() == EXPECTED.keys()
