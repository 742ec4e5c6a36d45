"""Certificates: what works, what is refused without repeating a key, and what a renewal changes."""

import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from support.certificates import make_certificate

from gateway.supervise.certificate import CertificateError, create_context, expires, pinned_context, renew


def _served(context: ssl.SSLContext, certificate: str) -> bytes:
    """The certificate a client that accepts `certificate` meets. Raises ssl.SSLError where it accepts it not."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with context.wrap_socket(theirs, server_side=True) as connection:
                connection.recv(1)
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours, pinned_context(certificate).wrap_socket(ours) as connection:
            return connection.getpeercert(binary_form=True) or b""
    finally:
        thread.join()


def test_context_serves_its_certificate_to_who_pins_it_and_nobody_else(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    other, _ = make_certificate(tmp_path, "other.example.com")
    context = create_context(certificate, key)
    assert _served(context, certificate) == ssl.PEM_cert_to_DER_cert(certificate)
    with pytest.raises(ssl.SSLError):
        _served(context, other)


def test_renewed_context_serves_the_new_certificate(tmp_path: Path) -> None:
    context = create_context(*make_certificate(tmp_path))
    certificate, key = make_certificate(tmp_path)
    renew(context, certificate, key)
    assert _served(context, certificate) == ssl.PEM_cert_to_DER_cert(certificate)


@pytest.mark.parametrize("broken", ["certificate", "key", "pair", "password"])
def test_pair_that_does_not_work_is_refused_without_repeating_it(tmp_path: Path, broken: str) -> None:
    certificate, key = make_certificate(tmp_path)
    _, other = make_certificate(tmp_path)
    locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"
    pairs = {
        "certificate": (certificate[:100], key),
        "key": (certificate, key.replace("A", "B")),
        "pair": (certificate, other),
        "password": (certificate, locked),
    }
    with pytest.raises(CertificateError) as refused:
        create_context(*pairs[broken])
    assert "server.tls_certificate" in str(refused.value)
    assert key.splitlines()[1][:16] not in str(refused.value)


@pytest.mark.parametrize(
    "days",
    [2, 365, 20_000],  # the last past 2049, and written in another way
)
def test_end_of_a_certificate_is_read(tmp_path: Path, days: int) -> None:
    certificate, _ = make_certificate(tmp_path, days=days)
    assert abs(expires(certificate) - time.time() - days * 86_400) < 3_600


def test_end_of_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(CertificateError):
        expires("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
