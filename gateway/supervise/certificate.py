"""TLS on the listener: a context from certificate and key, renewed in place, and what makes this machine trust it.

Connections keep the certificate they were opened with; a renewed one is for those after.
"""

import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

PINNED_NAME = "certificate.pem"
"""In the data directory: the certificate in use, by which commands on this machine know the gateway."""

# The two times of a certificate: "not before", and in the groups "not after", as UTCTime or GeneralizedTime.
_VALIDITY = re.compile(
    rb"\x30.(?:\x17\x0d[0-9]{12}Z|\x18\x0f[0-9]{14}Z)(?:\x17\x0d([0-9]{12})Z|\x18\x0f([0-9]{14})Z)", re.DOTALL
)
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class CertificateError(ValueError):
    """Certificate and key do not work; the message says why and repeats nothing of them."""


def create_context(certificate: str, key: str) -> ssl.SSLContext:
    """A server's context, TLS 1.2 and newer, HTTP/1.1. Raises CertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    renew(context, certificate, key)
    return context


def renew(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Use these for connections from now on. Raises CertificateError."""
    with _as_file(f"{certificate}\n{key}\n") as name:
        try:
            context.load_cert_chain(name, password=_refuse_password)
        except (ssl.SSLError, ValueError) as error:
            told = getattr(error, "reason", None) or str(error)
            raise CertificateError(
                f"server.tls_certificate and server.tls_key cannot be used: {told.replace('_', ' ').lower()}"
            ) from error


def pinned_context(certificate: str) -> ssl.SSLContext:
    """A client's context that accepts this very certificate, by whatever name the server is reached."""
    found = _BLOCK.search(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=found[0] if found else certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def expires(certificate: str) -> int:
    """When the certificate ends (unix seconds). Raises CertificateError where it does not say."""
    found = _BLOCK.search(certificate)
    validity = _VALIDITY.search(ssl.PEM_cert_to_DER_cert(found[0])) if found else None
    if validity is None:
        raise CertificateError("server.tls_certificate does not say when it ends")
    written = (validity[1] or validity[2]).decode("ascii")
    # RFC 5280: two digits of a year are 1950 to 2049.
    year = written if validity[2] else ("20" if written < "50" else "19") + written
    return int(datetime.strptime(year + "+0000", "%Y%m%d%H%M%S%z").timestamp())


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A name under which OpenSSL can read this; on Linux it never touches a disk."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("certificate")
        try:
            os.write(file, text.encode())
            yield f"/dev/fd/{file}"
        finally:
            os.close(file)
        return
    with tempfile.NamedTemporaryFile("w") as written:
        written.write(text)
        written.flush()
        yield written.name


def _refuse_password() -> str:
    raise ValueError("the key is encrypted; give it without a password")
