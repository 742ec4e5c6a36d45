"""One POST to the receiver of alerts, in a thread of its own: rare, small, and never on the way of a request.

The standard library's client: it follows no redirect and reads no environment. Nothing of the answer but its status is
looked at.
"""

import asyncio
import http.client
import ssl
from urllib.parse import urlsplit

from gateway import __version__

_SECONDS = 10.0  # for each of connecting, sending, and the answer's head


async def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """The answer's status. Raises OSError where there was none."""
    return await asyncio.to_thread(_post, url, headers, body)


def _post(url: str, headers: dict[str, str], body: bytes) -> int:
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    own = {"content-type": "application/json", "user-agent": f"workers-ai-gateway/{__version__}"}
    try:
        connection.request("POST", path, body, {**own, **headers})
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {type(error).__name__}") from error
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=_SECONDS)
