"""The admin API's table of paths, for the composition root to mount under /v1/organization."""

from collections.abc import Mapping
from typing import Final

from starlette.routing import Route

from gateway.organization import (
    admin_keys,
    audit_logs,
    health,
    keys,
    ledger,
    limits,
    model_permissions,
    neurons,
    pace,
    projects,
    rate_limits,
    reconciliation,
    scope_limits,
    spend_alerts,
    usage,
    verification,
    views,
)
from gateway.organization.exchange import Endpoint, KeyEndpoint, Responder, Responders
from gateway.organization.service import AdminService

_PROJECT: Final = "/projects/{project_id}"
_ACCOUNT: Final = _PROJECT + "/service_accounts/{account_id}"

_SPEND_ALERTS: Final[Mapping[str, Mapping[str, Responder]]] = {
    "/spend_alerts": {"GET": spend_alerts.list_spend_alerts, "POST": spend_alerts.create_spend_alert},
    "/spend_alerts/{alert_id}": {
        "GET": spend_alerts.retrieve_spend_alert,
        "POST": spend_alerts.update_spend_alert,
        "DELETE": spend_alerts.delete_spend_alert,
    },
}

_ENDPOINTS: Final[Mapping[str, Mapping[str, Responder]]] = {
    "/projects": {"GET": projects.list_projects, "POST": projects.create_project},
    _PROJECT: {"GET": projects.retrieve_project, "POST": projects.update_project},
    f"{_PROJECT}/archive": {"POST": projects.archive_project},
    f"{_PROJECT}/spend_limit": {
        "GET": projects.retrieve_project_limit,
        "POST": projects.update_project_limit,
        "DELETE": projects.delete_project_limit,
    },
    f"{_PROJECT}/limits": {"GET": limits.list_project_limits, "POST": limits.update_project_limits},
    f"{_PROJECT}/model_permissions": {
        "GET": model_permissions.retrieve_permissions,
        "POST": model_permissions.update_permissions,
        "DELETE": model_permissions.delete_permissions,
    },
    f"{_PROJECT}/rate_limits": {"GET": rate_limits.list_rate_limits},
    f"{_PROJECT}/rate_limits/{{rate_limit_id}}": {"POST": rate_limits.update_rate_limit},
    f"{_PROJECT}/service_accounts": {"GET": keys.list_accounts, "POST": keys.create_account},
    _ACCOUNT: {"GET": keys.retrieve_account, "POST": keys.update_account, "DELETE": keys.delete_account},
    f"{_ACCOUNT}/api_keys": {"POST": keys.create_account_key},
    f"{_PROJECT}/api_keys": {"GET": keys.list_keys},
    f"{_PROJECT}/api_keys/{{key_id}}": {
        "GET": keys.retrieve_key,
        "POST": keys.update_key,
        "DELETE": keys.delete_key,
    },
    f"{_PROJECT}/api_keys/{{key_id}}/rotate": {"POST": keys.rotate_key},
    f"{_PROJECT}/api_keys/{{key_id}}/limits": {"GET": limits.list_key_limits, "POST": limits.update_key_limits},
    "/limits": {"GET": limits.list_organization_limits, "POST": limits.update_organization_limits},
    "/limits/all": {"GET": limits.list_all_limits},
    "/spend_limit": {
        "GET": projects.retrieve_organization_limit,
        "POST": projects.update_organization_limit,
        "DELETE": projects.delete_organization_limit,
    },
    "/spend_limits": {"GET": scope_limits.list_limits},
    "/usage/completions": {"GET": usage.usage_completions},
    "/costs": {"GET": usage.costs},
    "/reconciliation": {
        "GET": reconciliation.retrieve_reconciliation,
        "POST": reconciliation.keep_reconciliation,
    },
    "/pace": {"GET": pace.list_pace},
    "/health": {"GET": health.retrieve_health},
    "/neurons": {"GET": neurons.list_neuron_days},
    **{f"{scope}{path}": methods for scope in ("", _PROJECT) for path, methods in _SPEND_ALERTS.items()},
    "/alerts": {"GET": spend_alerts.list_raised_alerts},
    "/alerts/test": {"POST": spend_alerts.test_webhook},
    "/audit_logs": {"GET": audit_logs.list_audit_logs},
    "/verify": {"GET": verification.verify_books, "POST": verification.repair_books},
    "/ledger": {"GET": ledger.list_ledger},
    "/ledger/{row_id}": {"GET": ledger.retrieve_row},
    "/admin_api_keys": {"GET": admin_keys.list_admin_keys, "POST": admin_keys.create_admin_key},
    "/admin_api_keys/{key_id}": {"GET": admin_keys.retrieve_admin_key, "DELETE": admin_keys.delete_admin_key},
    "/{unknown:path}": {},
}

# What a session of a virtual key may read; whatever is not here is refused to it.
_OF_KEY: Final[Mapping[str, Responder]] = {
    "/projects": views.list_own_project,
    _PROJECT: views.of_own_project(projects.retrieve_project),
    f"{_PROJECT}/api_keys": views.of_own_project(views.list_own_key),
    f"{_PROJECT}/api_keys/{{key_id}}": views.of_own_project(views.of_own_key(keys.retrieve_key)),
    "/spend_limits": views.list_own_limits,
    "/usage/completions": views.narrowed(usage.usage_completions),
    "/costs": views.narrowed(usage.costs),
    "/ledger": views.narrowed(ledger.list_ledger),
    "/ledger/{row_id}": views.retrieve_own_row,
}

# What an administrator of one project gets besides what is below that project.
_OF_PROJECT: Final[Mapping[str, Responder]] = {
    "/projects": views.list_own_project,
    "/spend_limits": views.list_own_limits,
    "/usage/completions": views.narrowed(usage.usage_completions),
    "/costs": views.narrowed(usage.costs),
    "/ledger": views.narrowed(ledger.list_ledger),
    "/ledger/{row_id}": views.retrieve_own_row,
    "/audit_logs": views.narrowed(audit_logs.list_audit_logs),
    "/pace": views.narrowed(pace.list_pace),
}

# What bounds a project, and is not its own administrators' to change.
_BOUNDS: Final = tuple(
    f"{_PROJECT}/{part}" for part in ("archive", "spend_limit", "limits", "rate_limits", "model_permissions")
)


def routes(service: AdminService) -> list[Route]:
    """The routes, relative to /v1/organization; the last one refuses every other URL below it."""
    mine = Responders({"GET": limits.list_own_limits}, {}, of_key=limits.list_own_limits)
    own = Route("/limits/me", KeyEndpoint(service, mine))
    return [own, *(Route(path, Endpoint(service, _responders(path, methods))) for path, methods in _ENDPOINTS.items())]


def _responders(path: str, methods: Mapping[str, Responder]) -> Responders:
    return Responders(methods, _of_project(path, methods), _OF_KEY.get(path))


def _of_project(path: str, methods: Mapping[str, Responder]) -> Mapping[str, Responder]:
    """What an administrator of one project may do at a path."""
    if not path.startswith(_PROJECT):
        return {"GET": _OF_PROJECT[path]} if path in _OF_PROJECT else {}
    found = {method: views.of_own_project(function) for method, function in methods.items()}
    if path == _PROJECT:
        found["POST"] = views.of_own_project(views.rename_own_project)
    if path.startswith(_BOUNDS):
        found = {method: function for method, function in found.items() if method == "GET"}
    return found
