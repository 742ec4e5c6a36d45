"""What the admin endpoints work with, opened once by the composition root."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.core.catalog import Catalog
from gateway.core.eligibility import NOTHING_LEARNED, Learned
from gateway.core.neurons import NeuronPrice
from gateway.core.viewer import Viewer
from gateway.guesses import Guesses
from gateway.ledger.audit.verification import Waiting
from gateway.organization.admin_credentials import AdminCredentials
from gateway.organization.audit import Audit
from gateway.organization.authority import AdminAuth
from gateway.organization.credentials import Credentials
from gateway.organization.registry import Registry
from gateway.organization.rejections import Rejections
from gateway.store.contract import Store
from gateway.store.layout import Layout

FindViewer = Callable[[str], Awaitable[Viewer | None]]
"""Whom a request's Cookie header stands for, None for nobody. Raises StoreAway."""


@dataclass(slots=True, frozen=True)
class AdminService:
    """The admin API's collaborators."""

    auth: AdminAuth
    registry: Registry
    credentials: Credentials
    admins: AdminCredentials
    audit: Audit
    catalog: Callable[[], Catalog]  # that of the configuration in force
    find_viewer: FindViewer | None = None
    rejections: Rejections = field(default_factory=Rejections)
    waiting: Waiting = int  # receipts that this worker's spool still has to bring to the store
    neuron_price: NeuronPrice = NeuronPrice()
    guesses: Guesses = field(default_factory=lambda: Guesses(time.monotonic))
    has_webhook: Callable[[], bool] = lambda: True  # whether alerts have somewhere to go
    rollup_tags: tuple[str, ...] = ()  # what usage can be split by
    is_demo: bool = False
    learned: Callable[[], Learned] = lambda: NOTHING_LEARNED


def admin_service(
    store: Store, layout: Layout, admin_key: str, catalog: Callable[[], Catalog], find_viewer: FindViewer | None = None
) -> AdminService:
    """The admin API over one organisation. `admin_key` is the secret that opens it; browser sessions may read it."""
    registry = Registry(store, layout)
    opened = Credentials(registry), AdminCredentials(registry), Audit(store, layout)
    return AdminService(AdminAuth(admin_key, store, layout), registry, *opened, catalog, find_viewer)
