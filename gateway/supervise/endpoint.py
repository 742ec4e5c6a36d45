"""Where a running gateway listens, as seen from this machine, and how to talk to it without a client library."""

import http.client
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.settings import ServerSettings
from gateway.supervise.certificate import PINNED_NAME, pinned_context


@dataclass(slots=True, frozen=True)
class Endpoint:
    """`certificate` is the PEM text in use; empty without TLS."""

    host: str
    port: int
    certificate: str = field(default="", repr=False)

    @property
    def base_url(self) -> str:
        """The URL for clients, `/v1` included."""
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/v1"

    def connect(self, seconds: float) -> http.client.HTTPConnection:
        """A connection, not opened yet. Plain http.client knows no proxies."""
        if self.certificate:
            context = pinned_context(self.certificate)
            return http.client.HTTPSConnection(self.host, self.port, timeout=seconds, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=seconds)


def reachable(server: ServerSettings, port: int) -> Endpoint:
    """The endpoint under which this machine reaches a listener: loopback where it listens everywhere."""
    known = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 – compared, not bound
    return Endpoint(known.get(server.host, server.host), port, server.tls_certificate)


def pinned_certificate(data_dir: Path) -> str:
    """The certificate of the gateway that runs on this data directory; empty without TLS."""
    try:
        return (data_dir / PINNED_NAME).read_text(encoding="ascii")
    except OSError:
        return ""
