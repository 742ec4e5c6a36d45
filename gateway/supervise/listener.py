"""The listening socket and the limits of the process around it. Binds before any worker starts; accepts nothing."""

import contextlib
import errno
import resource
import socket
import time
from dataclasses import dataclass

from gateway.config.settings import ServerSettings
from gateway.supervise.certificate import CertificateError, create_context, expires
from gateway.supervise.errors import CannotStart

_BACKLOG = 2048  # connections that may wait while the only worker is being replaced
_PORTS_TO_TRY = 50
_PATIENCE_SECONDS = 10.0
_DARWIN_OPEN_MAX = 10_240  # the kernel refuses more where the hard limit says "unlimited"


@dataclass(slots=True, frozen=True)
class Address:
    """Where to listen. `may_move`: take the next free port; `may_wait`: the port's last owner is just leaving."""

    host: str
    port: int
    may_move: bool = False
    may_wait: bool = False


def bind(address: Address) -> socket.socket:
    """A listening socket, not inherited by children unless told so. Raises CannotStart with the fix."""
    last = address.port + (_PORTS_TO_TRY if address.may_move and address.port else 0)
    deadline = time.monotonic() + (_PATIENCE_SECONDS if address.may_wait else 0.0)
    for port in range(address.port, min(last, 65535) + 1):
        while True:
            try:
                return _listen(address.host, port)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise CannotStart(f"cannot listen on {address.host}:{port}: {error.strerror or error}") from error
                if error.errno == errno.EACCES and not address.may_move:
                    raise CannotStart(
                        f"this user may not listen on port {port}: take one above 1023, e.g. --port 8080"
                    ) from error
                if time.monotonic() >= deadline:
                    break
            time.sleep(0.05)
    if address.may_move:
        raise CannotStart(f"the ports {address.port} to {last} of {address.host} are all taken")
    raise CannotStart(
        f"port {address.port} of {address.host} is taken by another program. "
        f"Stop it, or take another port: --port {min(address.port + 1, 65535)}, or `server.port` in the configuration."
    )


def check_certificate(server: ServerSettings) -> None:
    """Raises CannotStart where the listener's certificate and key cannot be used."""
    if server.tls_certificate:
        try:
            create_context(server.tls_certificate, server.tls_key)
            expires(server.tls_certificate)
        except CertificateError as error:
            raise CannotStart(str(error)) from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    made.setblocking(False)
    return made


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, for this process and its children; returns what it is now.

    Every stream holds two descriptors, and laptops start programs with 256 or 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _DARWIN_OPEN_MAX):
        if wanted != resource.RLIM_INFINITY and wanted <= soft:
            continue
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
