"""The server section as a whole: certificate and key together, proxies that are addresses."""

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problems import ConfigErrors

PEM = "-----BEGIN X-----\nAAAA\n-----END X-----\n"


def test_certificate_and_key_come_from_files_and_are_secret() -> None:
    text = "server: {tls_certificate_file: tls.crt, tls_key_file: tls.key, trusted_proxies: [127.0.0.1, 10.0.0.0/8]}"
    settings = load(text, {}, Path("/etc"), demo=True, read_secret=lambda file: f"{PEM}{file.name}-----")
    assert settings.server.tls_certificate.endswith("tls.crt-----")
    assert settings.server.tls_key.endswith("tls.key-----")
    assert settings.server.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")
    assert "AAAA" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("server: {tls_certificate_file: tls.crt}", "server.tls_key"),
        ("server: {tls_key_file: tls.key}", "server.tls_certificate"),
        ("server: {tls_key: secret, tls_certificate_file: tls.crt}", "server.tls_key"),
        ("server: {trusted_proxies: [10.0.0.0/33]}", "server.trusted_proxies[0]"),
        ("server: {trusted_proxies: ['*']}", "server.trusted_proxies[0]"),
    ],
)
def test_what_does_not_fit_together_is_named(text: str, path: str) -> None:
    with pytest.raises(ConfigErrors) as refused:
        load(text, {}, Path("/etc"), demo=True, read_secret=lambda _: PEM)
    assert [problem.path for problem in refused.value.problems] == [path]
    assert "secret" not in str(refused.value).replace("secrets", "")
