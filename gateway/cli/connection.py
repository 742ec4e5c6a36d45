"""Calls to a running gateway's HTTP API, from the command line. Foreign errors become CommandFailed here."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from types import TracebackType
from typing import TypeVar

import httpx2
import msgspec

from gateway import __version__
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import visible
from gateway.cli.place import Place
from gateway.cli.progress import waiting
from gateway.supervise.certificate import pinned_context

T = TypeVar("T")
Parameters = Mapping[str, str | int | Sequence[str]]

_TIMEOUT_SECONDS = 30.0
_PAGE = 100


class _ErrorBody(msgspec.Struct):
    message: str = ""


class _Envelope(msgspec.Struct):
    error: _ErrorBody


class _ListPage(msgspec.Struct):
    """Both of OpenAI's kinds of pages: a list goes on after `last_id`, a page at `next_page`."""

    data: list[msgspec.Raw]
    has_more: bool = False
    last_id: str | None = None
    next_page: str | None = None


class Connection:
    """A client of one gateway. Use it in a `with` statement."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._client = httpx2.Client(
            base_url=f"{place.url}/v1",
            headers={"authorization": f"Bearer {place.admin_key}", "user-agent": f"gateway-cli/{__version__}"},
            timeout=_TIMEOUT_SECONDS,
            # A proxy from the environment is for the outside: it could not reach a gateway on this machine.
            trust_env=not _is_loopback(place.url),
            verify=pinned_context(place.certificate) if place.certificate else True,
        )

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, parameters: Parameters | None = None) -> bytes:
        """The answer's body."""
        return self._call("GET", path, parameters=parameters)

    def post(self, path: str, body: Mapping[str, object]) -> bytes:
        """Send a JSON object; null members are left out."""
        given = {name: value for name, value in body.items() if value is not None}
        return self._call("POST", path, content=msgspec.json.encode(given))

    def change(self, path: str, body: Mapping[str, object]) -> bytes:
        """Send a JSON object; null members take something back."""
        return self._call("POST", path, content=msgspec.json.encode(body))

    def post_text(self, path: str, text: bytes) -> bytes:
        """Send JSON text as it is."""
        return self._call("POST", path, content=text)

    def delete(self, path: str) -> bytes:
        """Delete an object."""
        return self._call("DELETE", path)

    def items(self, path: str, parameters: Parameters | None = None, limit: int | None = None) -> Iterator[msgspec.Raw]:
        """The entries of a list, page after page, at most `limit` of them."""
        asked: dict[str, str | int | Sequence[str]] = {**(parameters or {})}
        count = 0
        while True:
            if limit is not None:
                asked["limit"] = min(_PAGE, limit - count)
            page = msgspec.json.decode(self.get(path, asked), type=_ListPage)
            yield from page.data
            count += len(page.data)
            cursor = page.next_page or page.last_id
            if not page.has_more or cursor is None or (limit is not None and count >= limit):
                return
            asked["page" if page.next_page else "after"] = cursor

    def _call(
        self, method: str, path: str, *, parameters: Parameters | None = None, content: bytes | None = None
    ) -> bytes:
        headers = {"content-type": "application/json"} if content is not None else {}
        try:
            with waiting(f"waiting for {self._place.url}"):
                response = self._client.request(method, path, params=parameters, content=content, headers=headers)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise CommandFailed(
                f"No gateway answers at {self._place.url}: {error}.",
                ExitCode.UNREACHABLE,
                "Start it with `gateway serve`, or say where it is with --url or GATEWAY_URL.",
            ) from error
        if response.is_success:
            return response.content
        raise self._refusal(response)

    def _refusal(self, response: httpx2.Response) -> CommandFailed:
        try:
            message = msgspec.json.decode(response.content, type=_Envelope).error.message
        except msgspec.DecodeError:
            return CommandFailed(
                f"{self._place.url} answered {response.status_code} and is no gateway.",
                ExitCode.UNREACHABLE,
                "Check --url or GATEWAY_URL.",
            )
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            return CommandFailed(
                f"The gateway at {self._place.url} does not accept the {self._place.key_name} from "
                f"{self._place.origin}.",
                ExitCode.NOT_ADMITTED,
                f"Set {self._place.key_variable}, or name that gateway's data directory with --data-dir.",
            )
        return CommandFailed(visible(message), ExitCode.REFUSED)


def decode_all(items: Iterator[msgspec.Raw], kind: type[T]) -> list[T]:
    """The entries of a list as values."""
    return [msgspec.json.decode(item, type=kind) for item in items]


def _is_loopback(url: str) -> bool:
    host = httpx2.URL(url).host
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
