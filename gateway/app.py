"""The composition root of a worker: opens the resources, builds the routes, closes everything in order.

The only module that knows everyone. Requests to a surface go straight to dispatch, everything else to the site.
"""

import asyncio
import logging
import time
from dataclasses import dataclass

from gateway.attempts import Attempting
from gateway.client.contract import Client
from gateway.client.select import create_client
from gateway.core.errors import MethodNotAllowed, StoreAway
from gateway.dispatch import Collaborators, Dispatch
from gateway.fleet.health import ModelHealth
from gateway.keys import Keyring, ensure_organization
from gateway.ledger.service import StoreLedger
from gateway.metrics import Metrics, join_slot
from gateway.organization.service import admin_service
from gateway.relay import Receive, Scope, Send
from gateway.site import Site
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore
from gateway.surfaces import SURFACES
from gateway.tokenizer import load_tokenizer
from gateway.upstreams import UPSTREAMS
from gateway.worker import WorkerSettings

_log = logging.getLogger("gateway.app")

_FIRST_PAUSE = 0.2  # seconds between attempts to open the store
_LONGEST_PAUSE = 5.0


@dataclass(slots=True)
class Resources:
    """What a worker holds open."""

    store: RedisStore
    ledger: StoreLedger
    client: Client
    metrics: Metrics
