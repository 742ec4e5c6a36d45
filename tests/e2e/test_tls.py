"""TLS on the listener, as clients and operators meet it: the SDK, a renewal under a stream, the command line."""

import os
import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest
from support.certificates import make_certificate
from support.command_line import run_gateway
from support.running import ServedGateway, free_port, wait_until

from gateway.supervise.certificate import pinned_context

LONG = "Count to 60 [[sim: pace=0.05]]"


@pytest.fixture
def metrics_port() -> int:
    return free_port()


@pytest.fixture
def gateway(tmp_path: Path, metrics_port: int) -> Iterator[ServedGateway]:
    make_certificate(tmp_path)
    _configure(tmp_path, f"127.0.0.1:{metrics_port}")
    with ServedGateway(tmp_path, "--demo") as served:
        yield served


def _configure(folder: Path, metrics: str = "") -> None:
    server = f"port: {free_port()}, tls_certificate_file: tls.crt, tls_key_file: tls.key"
    (folder / "config.yaml").write_text(f"server: {{{server}}}\nmetrics: {{listen: '{metrics}'}}\n")


def _served(gateway: ServedGateway) -> str:
    """The certificate a new connection meets."""
    port = int(gateway.base_url.split(":")[2].split("/")[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain, context.wrap_socket(plain) as connection:
        return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")


def test_sdk_streams_over_tls_while_the_certificate_is_renewed(gateway: ServedGateway) -> None:
    assert gateway.base_url.startswith("https://127.0.0.1:")
    old = (gateway.folder / "tls.crt").read_text()
    key = (gateway.folder / "data" / "demo" / "first-key").read_text().strip()
    http = httpx2.Client(trust_env=False, verify=pinned_context(old))
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0, http_client=http) as client:
        stream = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": LONG}], stream=True)
        text = next(iter(stream)).choices[0].delta.content or ""
        certificate, new_key = make_certificate(gateway.folder / "..")
        for name, content in (("tls.key", new_key), ("tls.crt", certificate)):
            (gateway.folder / "fresh").write_text(content)
            os.replace(gateway.folder / "fresh", gateway.folder / name)
        wait_until(lambda: _served(gateway).strip() == certificate.strip(), "the new certificate is served")
        text += "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert re.search(r"\b60\b", text)
        assert _served(gateway).strip() != old.strip()


def test_certificate_that_does_not_fit_its_key_changes_nothing_and_is_told(gateway: ServedGateway) -> None:
    old = (gateway.folder / "tls.crt").read_text()
    certificate, _ = make_certificate(gateway.folder / "..")
    (gateway.folder / "tls.crt").write_text(certificate)
    context = pinned_context(old)
    origin = gateway.base_url.removesuffix("/v1")
    wait_until(lambda: "refused" in httpx2.get(f"{origin}/readyz", trust_env=False, verify=context).text, "it is told")
    assert _served(gateway).strip() == old.strip()
    _, errors = gateway.end()
    assert "server.tls_certificate and server.tls_key cannot be used" in errors


def test_end_of_the_certificate_is_a_metric_and_follows_a_renewal(gateway: ServedGateway, metrics_port: int) -> None:
    def end_in(days: int) -> bool:
        text = httpx2.get(f"http://127.0.0.1:{metrics_port}/metrics", trust_env=False).text
        (line,) = re.findall(r"(?m)^gateway_certificate_expires_timestamp_seconds (\S+)$", text)
        return abs(float(line) - time.time() - days * 86_400) < 3_600

    assert end_in(60)
    make_certificate(gateway.folder, days=90)
    wait_until(lambda: end_in(90), "the renewed one is in the metric")


def test_commands_on_this_machine_know_the_certificate(gateway: ServedGateway) -> None:
    listed = run_gateway(gateway.folder, ("keys", "list"), {}, "")
    assert listed.returncode == 0, listed.stderr
    examined = run_gateway(gateway.folder, ("doctor", "--demo"), {}, "")
    assert "speaks TLS" in examined.stdout
    assert "is ready" in examined.stdout


def test_pair_that_does_not_work_stops_the_start(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    (tmp_path / "tls.key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    _configure(tmp_path)
    with ServedGateway(tmp_path, "--demo") as gateway:
        status, errors = gateway.failure()
    assert status == 2
    assert "server.tls_key" in errors
