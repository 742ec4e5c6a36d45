"""One line per request: who (ids only), what, how it ended, what it took and what it cost.

The same facts in two forms: JSON with fixed names, or a line for people. Prompts and answers are in it only where the
rules of project or key say `log_content`.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from gateway.log.setting_up import LogFormat, time_text
from gateway.log.writer import LineWriter

Scope = MutableMapping[str, Any]  # ASGI's own type: values are of many kinds
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # likewise

_STANDARD_ERROR: Final = 2
_CLOSING_SECONDS: Final = 1.0
_UNSAID: Final = ("/healthz", "/readyz")  # asked every second by machines; said only when the answer is no


class AccessLine(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One request. `time` is when it was over. What does not apply is left out."""

    time: str
    level: str
    logger: str
    id: str
    method: str
    path: str
    status: int
    ms: int
    client: str | None = None
    end: str | None = None  # the row's end_reason
    project: str | None = None
    key: str | None = None  # the key's id
    requested_model: str | None = None
    route: str | None = None
    model: str | None = None
    reason: str | None = None
    stream: bool = False
    attempts: int = 0
    ttft_ms: int | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: str | None = None
    error_type: str | None = None
    error_code: str | None = None
    trace_id: str | None = None
    prompt: Any = None  # a call's messages, where the project wants them
    answers: list[str] | None = None


_encode = msgspec.json.Encoder().encode


class AccessLog:
    """Formats lines and hands them to the writer. `clock` is unix seconds."""

    def __init__(self, writer: LineWriter, log_format: LogFormat, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._format = _encode if log_format == "json" else _for_people
        self._clock = clock
        self._second, self._second_text = -1, ""

    def now(self) -> str:
        """The time, as lines have it."""
        moment = self._clock()
        second = int(moment)
        if second != self._second:  # a calendar once a second, not once a request (2 µs)
            self._second, self._second_text = second, time_text(second)[:-4]
        return f"{self._second_text}{int(moment * 1000) % 1000:03d}Z"

    def write(self, line: AccessLine) -> None:
        """Log one request."""
        self._writer.write(self._format(line))

    def close(self) -> None:
        """Give whoever reads the log a moment to take the last lines."""
        self._writer.close(_CLOSING_SECONDS)

    def watched(self, scope: Scope, send: Send) -> Send:
        """`send`, with a line when the answer is over: for what is no request to a model."""
        began = self._clock()
        status, request_id = 0, ""

        async def watching(event: MutableMapping[str, Any]) -> None:  # Any: ASGI's
            nonlocal status, request_id
            await send(event)
            if event["type"] == "http.response.start":
                status = event["status"]
                headers = dict(event.get("headers", ()))
                request_id = headers.get(b"x-request-id", b"").decode("latin-1")
            elif not event.get("more_body") and not (status == 200 and scope["path"] in _UNSAID):
                self.write(self._site_line(scope, status, request_id, began))

        return watching

    def _site_line(self, scope: Scope, status: int, request_id: str, began: float) -> AccessLine:
        return AccessLine(
            time=self.now(),
            level="info",
            logger="gateway.access",
            id=request_id,
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round((self._clock() - began) * 1000),
            client=client_of(scope),
        )


def open_access_log(log_format: LogFormat) -> AccessLog:
    """The access log of this process, on standard error."""
    return AccessLog(LineWriter(_STANDARD_ERROR), log_format, time.time)


def client_of(scope: Scope) -> str | None:
    """The address a request came from."""
    client = scope.get("client")
    return None if client is None else str(client[0])


def _for_people(line: AccessLine) -> bytes:
    """`time INFO gateway.access: id method path status ms` and what else there is."""
    head = f"{line.time} {line.level.upper()} {line.logger}: {line.id} {line.method} {_plain(line.path)}"
    text = f"{head} {line.status} {line.ms}ms"
    if line.project is not None:
        text += f" {line.project} {line.key} {line.requested_model}>{line.model} {line.end}"
        text += f" attempts={line.attempts} tokens={line.prompt_tokens}+{line.completion_tokens} ${line.cost_usd}"
    for name in ("ttft_ms", "error_type", "error_code", "client", "trace_id"):
        value = getattr(line, name)
        if value is not None:
            text += f" {name}={value}"
    if line.prompt is not None:
        text += f" prompt={_encode(line.prompt).decode()} answers={_encode(line.answers).decode()}"
    return text.encode()


def _plain(path: str) -> str:
    """A path cannot begin a line of its own, nor colour a terminal."""
    return path if path.isprintable() else ascii(path)[1:-1]
