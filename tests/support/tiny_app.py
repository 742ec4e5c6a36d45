"""A tiny ASGI app for the supervisor's tests: it tells who it is, streams until told to stop, hangs and dies on demand.

Run `python -m support.tiny_app DATA_DIR PORT [WORKERS] [DRAIN_SECONDS]` for a whole parent process around it.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.config.load import load
from gateway.config.settings import Settings
from gateway.metrics import Metrics
from gateway.supervise.errors import CannotStart
from gateway.supervise.handover import VARIABLE, receive
from gateway.supervise.parent import Parent, ParentOptions
from gateway.supervise.rehearsal import OPTION, rehearse
from gateway.supervise.signals import Interrupted
from gateway.supervise.source import Reading
from gateway.worker import WorkerSettings

Message = MutableMapping[str, Any]  # ASGI's own type
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class TinyApp:
    """Paths: /who, /stream (open until cancelled), /exit, /hang."""

    def __init__(self, worker: WorkerSettings) -> None:
        self.worker = worker
        self.metrics = Metrics()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self.metrics.disconnect()
        if scope["path"] == "/exit":
            os._exit(9)
        if scope["path"] == "/hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        is_unready = scope["path"] == "/readyz" and (self.worker.settings.data_dir / "unready").exists()
        await send({"type": "http.response.start", "status": 503 if is_unready else 200, "headers": []})
        if is_unready:
            await send({"type": "http.response.body", "body": b'{"problems":["nothing to serve from"]}'})
            return
        if scope["path"] == "/stream":
            await self._stream(send)
            return
        who = {
            "pid": os.getpid(),
            "slot": self.worker.slot,
            "store_url": self.worker.store_url,
            "admin_key": self.worker.admin_key,
            "upstream": self.worker.upstream_name,
            "notice": self.worker.notice,
            "max_choices": self.worker.settings.chat.max_choices,
            "client": scope["client"][0],
            "port": self.worker.settings.server.port,
        }
        await send({"type": "http.response.body", "body": json.dumps(who).encode()})

    def prepare(self, settings: Settings) -> None:
        if settings.upstream.client == "pyreqwest":  # stands for whatever a worker finds impossible
            raise ValueError("this worker has no such client")
        self._prepared = settings

    def decide(self, *, is_adopted: bool) -> None:
        if is_adopted:
            self.worker = replace(self.worker, settings=self._prepared)

    def post_notice(self, text: str) -> None:
        self.worker = replace(self.worker, notice=text)

    def leave(self) -> None:
        (self.worker.settings.data_dir / f"told-{os.getpid()}").touch()

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"first\n", "more_body": True})
        release = self.worker.settings.data_dir / "release"
        try:
            while not release.exists():  # noqa: ASYNC110  # another process makes it
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            (self.worker.settings.data_dir / "cancelled").touch()
            raise
        await send({"type": "http.response.body", "body": b"last\n"})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if (self.worker.settings.data_dir / "stuck").exists():
            (self.worker.settings.data_dir / "is-stuck").write_text(str(os.getpid()))
            time.sleep(60.0)  # noqa: ASYNC251  # stands for whatever keeps the event loop from turning
        if (self.worker.settings.data_dir / "broken").exists():
            raise RuntimeError("this installation is broken")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        (self.worker.settings.data_dir / f"left-{self.worker.slot}").touch()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(worker: WorkerSettings) -> TinyApp:
    """What a worker calls."""
    return TinyApp(worker)


def create_late(worker: WorkerSettings) -> TinyApp:
    """An app that takes its time."""
    time.sleep(4.0)
    return TinyApp(worker)


def create_nothing(worker: WorkerSettings) -> TinyApp:
    """An app that cannot be made."""
    raise RuntimeError(f"slot {worker.slot} has no app")


def main(arguments: list[str]) -> int:
    """A parent around the tiny app; prints one JSON line when it serves."""
    given = json.loads(arguments[0])
    data_dir = Path(given["data_dir"])
    file = Path(given["config"]) if "config" in given else None

    def read() -> Reading:
        own = json.loads(file.read_text()) if file else {}
        text = json.dumps({"data_dir": str(data_dir), "metrics": {"listen": given.get("metrics", "")}, **own})
        settings = load(text, {}, data_dir.parent, demo=False)
        server = replace(
            settings.server,
            port=own.get("server", {}).get("port", given.get("port", 0)),
            workers=given.get("workers", 1),
            drain_seconds=given.get("drain_seconds", 30.0),
            unready_seconds=given.get("unready_seconds", 0.0),
            trusted_proxies=tuple(given.get("trusted_proxies", ())),
        )
        return Reading(replace(settings, server=server), (file,) if file else ())

    reading = read()
    app = given.get("app", "support.tiny_app:create_app")
    if OPTION in arguments:
        return rehearse(reading.settings, app)
    handover = receive(os.environ)
    os.environ.pop(VARIABLE, None)
    options = ParentOptions(
        app=app,
        may_move=given.get("may_move", False),
        hang_seconds=given.get("hang_seconds", 60.0),
        source=read if file else None,
        files=reading.files,
        command=(sys.executable, *sys.orig_argv[1:]),
        handover=handover,
    )
    try:
        with Parent(reading.settings, options) as parent:
            parent.start()
            print(json.dumps({"port": parent.port, "workers": parent.worker_pids()}), flush=True)
            parent.run()
    except CannotStart as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except Interrupted:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
