"""What the admin endpoints work with, opened once by the composition root."""

from dataclasses import dataclass

from gateway.organization.authority import AdminAuth
from gateway.organization.credentials import Credentials
from gateway.organization.registry import Registry
from gateway.store.contract import Store
from gateway.store.layout import Layout


@dataclass(slots=True, frozen=True)
class AdminService:
    """The admin API's collaborators."""

    auth: AdminAuth
    registry: Registry
    credentials: Credentials


def admin_service(store: Store, layout: Layout, admin_key: str) -> AdminService:
    """The admin API over one organisation. `admin_key` is the secret that opens it."""
    registry = Registry(store, layout)
    return AdminService(AdminAuth(admin_key), registry, Credentials(registry))
