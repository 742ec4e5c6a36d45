"""The composition root of a worker: opens the resources, builds the routes, closes everything in order.

The only module that knows everyone. Requests to a surface go straight to dispatch, everything else to the site.
"""

import asyncio
import dataclasses
import logging
import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.routing import Route

from gateway.account_figures import AccountFigures
from gateway.alerts.service import Alerts
from gateway.attempts import Attempting
from gateway.client.contract import Client
from gateway.client.select import create_client
from gateway.config.settings import Settings
from gateway.core.allowance import Share
from gateway.core.errors import StoreAway
from gateway.core.limits import zone_named
from gateway.cors import CrossOrigin, is_preflight
from gateway.dashboard.routes import Doorkeeper
from gateway.dashboard.sessions import Sessions
from gateway.dashboard.sign_in_rate import SignInRate
from gateway.departures import Departures
from gateway.dispatch import Collaborators, Dispatch
from gateway.explain import Explain
from gateway.fleet.knowledge import Knowledge
from gateway.fleet.membership import Membership
from gateway.guesses import Guesses
from gateway.keys import Keyring, ensure_organization
from gateway.ledger.audit.auditor import Auditor
from gateway.ledger.audit.trimming import Retention, Trimmer
from gateway.ledger.audit.verification import Verifier
from gateway.ledger.service import LedgerOptions, StoreLedger
from gateway.metrics import Metrics
from gateway.organization.rejections import Rejections
from gateway.organization.service import AdminService, admin_service
from gateway.organization.sign_ins import SignIns
from gateway.planning import Planning
from gateway.relay import Receive, Scope, Send
from gateway.reporter import Reporter, Sources
from gateway.site import Site, refuse
from gateway.store.eviction import eviction_problem
from gateway.store.instance_file import read_instance, write_instance
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore
from gateway.surfaces import SURFACES
from gateway.tokenizer import load_tokenizer
from gateway.upstreams import UPSTREAMS
from gateway.withdrawal import Withdrawals
from gateway.witness import Witness, create_witness
from gateway.worker import WorkerSettings

_log = logging.getLogger("gateway.app")

_FIRST_PAUSE = 0.2  # seconds between two tries to open the store, doubled up to the longest
_LONGEST_PAUSE = 5.0
_DRAIN_SECONDS = 5.0  # for the store to take what is in the spool; the rest is adopted at the next start


def create_app(worker: WorkerSettings) -> "Gateway":
    """The ASGI application of one worker; resources are opened by its lifespan."""
    return Gateway(worker)


class Gateway:
    """One worker. `lifespan` opens and closes it; before it is open, and while the store is unknown, it refuses."""

    def __init__(self, worker: WorkerSettings) -> None:
        self._worker = worker
        self._name = f"{os.getpid()}.{secrets.token_hex(8)}"  # among all workers
        self._is_open = False
        self._tasks: list[asyncio.Task[None]] = []
        self._prepared: tuple[Settings, Client] | None = None
        self._cross_origin = _cross_origin(worker.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self._cross_origin is not None and self._cross_origin.allows(scope):
            if is_preflight(scope):
                await self._cross_origin.preflight(scope, send)
                return
            send = self._cross_origin.opened(scope, send)
        surface = SURFACES.get(scope["path"])
        if surface is not None and scope["method"] == "POST" and self._is_open:
            await self._dispatch.serve(surface, scope, receive, send)
            return
        if self._witness.log is not None:
            send = self._witness.log.watched(scope, send)
        if surface is None or scope["method"] != "POST":
            await self._site.router(scope, receive, send)
        else:
            await refuse(StoreAway(self._store_trouble, retry_after=1.0), scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._build()
        opening = asyncio.create_task(self._open_forever())
        # Usually the store is there at once; if not, the worker serves refusals meanwhile and says why.
        await asyncio.wait([opening], timeout=_LONGEST_PAUSE)
        self._tasks = [opening, asyncio.create_task(self._reporter.run())]
        self._tasks.append(asyncio.create_task(self._dispatch.heartbeat.run()))
        self._tasks.append(asyncio.create_task(self._withdrawals.run()))
        self._tasks.append(asyncio.create_task(self._audit_forever(opening)))
        self._tasks.append(asyncio.create_task(self._watch_account(opening)))
        self._tasks.append(asyncio.create_task(self._exchange_forever(opening)))
        self._tasks.append(asyncio.create_task(self._watch_budgets(opening)))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})

    def _build(self) -> None:
        worker, settings = self._worker, self._worker.settings
        layout = Layout(settings.store.prefix, zone=zone_named(settings.ledger.timezone))
        self._layout = layout
        self._instance_file = settings.data_dir / "store-instance"
        self._store_trouble = "The accounting store has not been reached yet."
        self._metrics = Metrics()
        self._store = RedisStore(
            worker.store_url, layout, instance=read_instance(self._instance_file), observe=self._metrics.store_answered
        )
        self._ledger = StoreLedger(
            self._store,
            layout,
            settings.data_dir / "spool",
            options=LedgerOptions(settings.spool.fsync, settings.ledger.rollup_tags),
        )
        self._ledger.keep_to(Share(worker.slot, settings.server.workers))
        self._settings = settings
        self._client = create_client(settings.upstream)
        self._tokenizer = tokenizer = load_tokenizer(settings.tokenizer_path)
        keyring = Keyring(self._store, layout, time.time, self._metrics.guessed)
        attempting = self._attempting(settings, self._client)
        fleet = self._fleet = Membership(self._store, layout, self._name, settings.account, settings.catalog)
        knowledge, self._governor = fleet.knowledge, fleet.governor
        planning = Planning(tokenizer, knowledge, self._governor.full, time.time, random.random)
        self._witness = witness = create_witness(settings, self._metrics)
        self._withdrawals = Withdrawals(self._store, layout)
        leaving = witness, Departures(tokenizer.count), self._withdrawals
        parts = Collaborators(keyring, self._ledger, attempting, planning, self._governor, knowledge, *leaving)
        self._dispatch = Dispatch(settings, worker.upstream_name, parts)
        sessions = Sessions(self._store, layout, worker.admin_key)
        admin = self._admin(sessions, keyring.guesses)
        doorkeeper = Doorkeeper(sessions, SignInRate(self._store, layout), admin.auth.key_hash, SignIns(admin))
        self._auditor = self._create_auditor()
        self._site = Site(settings.catalog, keyring, admin, doorkeeper, self._problems, knowledge.learned)
        explain = Explain(SURFACES["/v1/chat/completions"], planning, keyring, lambda: self._dispatch.snapshot)
        self._site.router.routes.append(Route("/v1/explain", explain))
        self._site.notice = worker.notice
        self._reporter = self._create_reporter(admin, knowledge, witness)

    def _create_reporter(self, admin: AdminService, knowledge: Knowledge, witness: Witness) -> Reporter:
        sources = Sources(
            self._ledger,
            self._store,
            admin.registry,
            knowledge.learned,
            lambda: witness.in_flight,
            lambda: self._governor.queued,
            lambda: self._is_open,
        )
        return Reporter(sources, self._metrics, self._settings, reads_limits=self._worker.slot == 0)

    def _create_auditor(self) -> Auditor:
        layout, ledger = self._layout, self._settings.ledger
        return Auditor(
            self._store,
            layout,
            Verifier(self._store, layout, lambda: self._ledger.pending),
            self._name,
            lambda standing: self._metrics.books.show_audit(standing.drift, standing.verified_at),
            Trimmer(
                self._store,
                layout,
                self._settings.data_dir / "export",
                Retention(ledger.retention_days, ledger.max_rows),
            ),
        )

    def _admin(self, sessions: Sessions, guesses: Guesses) -> AdminService:
        admin_key = self._worker.admin_key
        admin = admin_service(
            self._store, self._layout, admin_key, lambda: self._settings.catalog, sessions.find_viewer
        )
        return dataclasses.replace(
            admin,
            waiting=lambda: self._ledger.pending,
            neuron_price=self._worker.settings.neurons,
            learned=self._fleet.knowledge.learned,
            rollup_tags=self._worker.settings.ledger.rollup_tags,
            is_demo=self._worker.settings.is_demo,
            rejections=Rejections(self._metrics.admin_rejected),
            guesses=guesses,
            has_webhook=lambda: bool(self._settings.alerts.webhook_url),
        )

    def _attempting(self, settings: Settings, client: Client) -> Attempting:
        upstream = UPSTREAMS["workers_ai"]
        return Attempting(client, upstream, self._tokenizer, settings.upstream.first_byte_seconds, time.monotonic)

    def prepare(self, settings: Settings) -> None:
        """Build what other settings need, without using it yet. Raises ValueError and OSError, as `create_client`."""
        is_same = settings.upstream == self._settings.upstream
        self._prepared = settings, self._client if is_same else create_client(settings.upstream)

    def decide(self, *, is_adopted: bool) -> None:
        """Use what was prepared from the next request on, or forget it."""
        if self._prepared is None:
            return
        (settings, client), self._prepared = self._prepared, None
        if not is_adopted:
            self._retire(client, 0.0)
            return
        old, self._client = self._client, client
        self._retire(old, self._settings.upstream.total_seconds)
        self._settings = settings
        self._governor.adopt(settings.account, settings.catalog)
        self._dispatch.adopt(settings, self._attempting(settings, client))
        self._site.catalog = settings.catalog
        self._reporter.settings = settings
        self._cross_origin = _cross_origin(settings)

    def post_notice(self, text: str) -> None:
        """A sentence for the readiness page; empty takes the last one away."""
        self._site.notice = text

    def leave(self) -> None:
        """From now on the readiness page says that this worker is leaving."""
        self._site.is_leaving = True

    def _retire(self, client: Client, seconds: float) -> None:
        """Close a client that no new request uses, as soon as none in flight can be using it any more."""
        if client is not self._client:
            self._tasks.append(asyncio.create_task(_close_late(client, seconds)))

    async def _open_forever(self) -> None:
        """Bind the store, however long it takes; then begin to account."""
        pause = _FIRST_PAUSE
        while not self._is_open:
            try:
                instance = await self._store.bind_instance(read_instance(self._instance_file))
                await ensure_organization(self._store, self._layout)
                write_instance(self._instance_file, instance)
            except (StoreAway, OSError) as error:
                self._store_trouble = (
                    error.message
                    if isinstance(error, StoreAway)
                    else f"{self._instance_file} cannot be written: {error.strerror}."
                )
                if pause == _FIRST_PAUSE:
                    _log.warning("%s Trying again until it works.", self._store_trouble)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            await self._ledger.start()
            self._is_open = True

    async def _audit_forever(self, opening: asyncio.Task[None]) -> None:
        await asyncio.wait([opening])
        await self._auditor.run()

    async def _exchange_forever(self, opening: asyncio.Task[None]) -> None:
        await asyncio.wait([opening])
        await self._fleet.run()

    async def _watch_budgets(self, opening: asyncio.Task[None]) -> None:
        await asyncio.wait([opening])
        places, metrics = (self._store, self._layout), self._metrics.alerts
        await Alerts(places, lambda: self._settings.alerts, metrics, self._witness.exhaustion, self._name).run()

    async def _watch_account(self, opening: asyncio.Task[None]) -> None:
        await asyncio.wait([opening])
        price, warns = self._settings.neurons, self._worker.slot == 0
        await AccountFigures(self._store, self._layout, self._metrics, price, warns=warns).run()

    async def _problems(self) -> list[str]:
        """What keeps this worker from serving, in words an operator can act on."""
        if not self._is_open:
            return [f"store: {self._store_trouble}"]
        problems = [] if self._ledger.has_room() else ["spool: no room on the disk for receipts"]
        try:
            await self._store.command("PING")
        except StoreAway as error:
            return [*problems, f"store: {error.message}"]
        eviction = await eviction_problem(self._store)
        return [*problems, eviction] if eviction else problems

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._is_open and not await self._ledger.drain(asyncio.get_running_loop().time() + _DRAIN_SECONDS):
            _log.warning("%d receipts wait in the spool for the next start", self._ledger.pending)
        await _in_order(self._ledger.close, self._store.close, self._client.close)
        await asyncio.to_thread(self._witness.close)


def _cross_origin(settings: Settings) -> CrossOrigin | None:
    return CrossOrigin(settings.server.cors_origins) if settings.server.cors_origins else None


async def _close_late(client: Client, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        await client.close()


async def _in_order(*closings: Callable[[], Awaitable[None]]) -> None:
    for close in closings:
        await close()
