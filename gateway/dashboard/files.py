"""The page's files, read once from the package, and the headers that go with them. Nothing here knows any data."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from gateway.core.errors import NotFound
from gateway.relay import Exchange, Headers, Receive, Scope, Send

# Nothing but our own files, nothing inline, nobody may frame it, and no form can be sent anywhere: scripts read the
# key from its field. Trusted Types make the browser refuse every use of markup as text.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

_TYPES = {
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "svg": b"image/svg+xml",
    "license": b"text/plain; charset=utf-8",
}


@dataclass(slots=True, frozen=True)
class File:
    """One file of the page. `tag` is its entity tag."""

    content: bytes
    type: bytes
    tag: bytes


def read_files() -> dict[str, File]:
    """Every file below page/, by its path there."""
    return dict(_walk(files("gateway.dashboard") / "page", ""))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, File]]:
    found: list[tuple[str, File]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
            continue
        content = entry.read_bytes()
        tag = b'"%s"' % hashlib.sha256(content).hexdigest()[:32].encode()
        found.append((prefix + entry.name, File(content, _TYPES[entry.name.rpartition(".")[2].lower()], tag)))
    return found


async def send_file(files_by_path: dict[str, File], scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the file that the path names; the page itself where it names none. Raises NotFound."""
    exchange = Exchange(scope, receive, send)
    path = scope["path_params"].get("path") or "index.html"
    file = files_by_path.get(path)
    if file is None:
        raise NotFound(f"Invalid URL ({scope['method']} {scope['path']})", code="unknown_url")
    # Asked anew each time and answered in a few bytes: after an upgrade nobody runs half of the old page.
    headers: Headers = [*SECURITY, (b"content-type", file.type), (b"etag", file.tag), (b"cache-control", b"no-cache")]
    if exchange.header(b"if-none-match") == file.tag.decode():
        await exchange.start(304, headers)
        await exchange.finish()
        return
    await exchange.respond(200, headers, file.content)
