"""Whether a worker of this program gets ready: one is started beside those that serve, on a port nobody knows, with the
same store and data directory; it is asked whether it could serve, and ended. No client ever meets it.
"""

import http.client
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from gateway.config.settings import Settings
from gateway.metrics import MetricsListener
from gateway.store.embedded import EmbeddedStore
from gateway.supervise.crew import Crew
from gateway.supervise.data_directory import DataDirectory, read_secret
from gateway.supervise.errors import CannotStart
from gateway.supervise.listener import Address, bind
from gateway.supervise.order import WorkerOrder
from gateway.worker import WorkerSettings

_START_SECONDS = 40.0
_READY_SECONDS = 4.0  # a store may take a moment to answer
_LEAVE_SECONDS = 5.0
_LOOK_SECONDS = 0.05


class _Readiness(msgspec.Struct):
    problems: list[str] = []


def try_worker(settings: Settings, app: str) -> None:
    """Start one, ask it, end it. Raises CannotStart where it does not start or would not be ready."""
    data = DataDirectory(settings.data_dir)
    is_embedded = settings.store.url == "embedded"
    try:
        store_url = EmbeddedStore(data.store_home).url if is_embedded else settings.store.url
    except OSError as error:
        raise CannotStart(f"no gateway runs on {settings.data_dir}: its store is not there") from error
    worker = WorkerSettings(_on_trial(settings), store_url, settings.admin_key or read_secret(data.admin_key_file))
    listener = bind(Address("127.0.0.1", 0))
    with listener, tempfile.TemporaryDirectory(prefix="trial-", dir=settings.data_dir) as folder:  # /tmp may be closed
        metrics = MetricsListener(Path(folder))
        crew = Crew(WorkerOrder(worker, app, _LEAVE_SECONDS), slots=[0], listener=listener, metrics=metrics)
        try:
            crew.start()
            _wait_until_started(crew)
            _ask(listener.getsockname()[1])
            _end(crew)
        finally:
            crew.kill()
            metrics.close()


def _on_trial(settings: Settings) -> Settings:
    """In plain HTTP; in the demo as if the simulator, which only the running gateway knows, were somewhere."""
    server = replace(settings.server, tls_certificate="", tls_key="")
    upstream = settings.upstream
    if settings.is_demo:
        upstream = replace(upstream, base_url="http://127.0.0.1:9", account_id="demo", api_token="demo")  # noqa: S106 – opens nothing
    return replace(settings, server=server, upstream=upstream)


def _wait_until_started(crew: Crew) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not crew.is_ready:
        if time.monotonic() > deadline:
            raise CannotStart(f"a worker of the new program did not start within {_START_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)
        crew.tend()


def _ask(port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise CannotStart(f"a worker of the new program does not answer: {error}") from error
        finally:
            connection.close()
        if status == http.client.OK:
            return
        if time.monotonic() > deadline:
            raise CannotStart(f"a worker of the new program would not be ready: {'; '.join(_problems(body))}")
        time.sleep(_LOOK_SECONDS)


def _problems(body: bytes) -> list[str]:
    try:
        return msgspec.json.decode(body, type=_Readiness).problems
    except msgspec.DecodeError:
        return ["it does not say why"]


def _end(crew: Crew) -> None:
    crew.drain()
    deadline = time.monotonic() + _LEAVE_SECONDS
    while crew.workers and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        crew.remove_ended()
