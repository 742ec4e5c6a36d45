"""The upstream section and the environment's share in it."""

from pathlib import Path

import pytest

from gateway.config.document import Reading
from gateway.config.settings import UpstreamSettings
from gateway.config.upstream import upstream_settings


def settings(
    environ: dict[str, str], given: dict[str, str] | None = None, *, demo: bool = False
) -> tuple[UpstreamSettings, list[str]]:
    reading = Reading(environ, Path("/etc/gw"))
    found = upstream_settings(given or {}, reading, demo=demo)
    return found, [str(problem) for problem in reading.problems]


ACCOUNT = {"CLOUDFLARE_ACCOUNT_ID": "acc"}


@pytest.mark.parametrize(
    ("environ", "given", "expected"),
    [
        ({}, {}, ("", "")),
        ({**ACCOUNT, "CLOUDFLARE_API_TOKEN": "tok"}, {}, ("acc", "tok")),
        ({**ACCOUNT, "CLOUDFLARE_AUTH_TOKEN": "tok\n"}, {}, ("acc", "tok")),
        ({**ACCOUNT, "CLOUDFLARE_API_TOKEN": "a", "CLOUDFLARE_AUTH_TOKEN": "b"}, {}, ("acc", "a")),
        ({**ACCOUNT, "CLOUDFLARE_API_TOKEN": "", "CLOUDFLARE_AUTH_TOKEN": "b"}, {}, ("acc", "b")),
        ({**ACCOUNT, "CLOUDFLARE_API_TOKEN": "a"}, {"account_id": "x", "api_token": "y"}, ("x", "y")),
        (ACCOUNT, {"api_token": "y"}, ("acc", "y")),
    ],
)
def test_upstream_settings_file_before_environment(
    environ: dict[str, str], given: dict[str, str], expected: tuple[str, str]
) -> None:
    found, problems = settings(environ, given)
    assert (found.account_id, found.api_token) == expected
    assert problems == []


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        (
            ACCOUNT,
            "upstream.api_token: an account id is set, but no API token "
            "(set CLOUDFLARE_API_TOKEN or CLOUDFLARE_AUTH_TOKEN)",
        ),
        (
            {"CLOUDFLARE_AUTH_TOKEN": "t"},
            "upstream.account_id: an API token is set, but no account id (set CLOUDFLARE_ACCOUNT_ID)",
        ),
        (
            {**ACCOUNT, "CLOUDFLARE_API_TOKEN": "sesame open"},
            "upstream.api_token: the environment variable CLOUDFLARE_API_TOKEN is not a token without blanks",
        ),
    ],
)
def test_upstream_settings_half_an_account_is_refused(environ: dict[str, str], problem: str) -> None:
    assert settings(environ)[1] == [problem]


def test_upstream_settings_demo_leaves_credentials_and_proxy_out() -> None:
    environ = {"CLOUDFLARE_API_TOKEN": "tok", "HTTPS_PROXY": "http://p:1"}
    found, problems = settings(environ, {"account_id": "x"}, demo=True)
    assert (found.account_id, found.api_token, found.proxy, problems) == ("", "", "", [])


def test_upstream_settings_repr_has_no_token() -> None:
    assert "sesame" not in repr(settings(ACCOUNT, {"api_token": "sesame", "proxy": "http://u:sesame@p:1"})[0])


@pytest.mark.parametrize(
    ("environ", "base_url", "expected"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "https://api.example/v4", "http://p:1"),
        ({"https_proxy": "p:1"}, "https://api.example/v4", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://api.example/v4", ""),
        ({"HTTP_PROXY": "http://p:1"}, "http://api.example/v4", ""),
        ({"http_proxy": "http://p:1"}, "http://api.example/v4", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, api.example"}, "https://api.example:8443/v4", ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.example:8443"}, "https://api.example:8443/v4", ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": ".Example"}, "https://API.example/v4", ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://api.example/v4", ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "pi.example,,"}, "https://api.example/v4", "http://p:1"),
    ],
)
def test_upstream_settings_proxy_comes_from_environment(environ: dict[str, str], base_url: str, expected: str) -> None:
    found, problems = settings(environ, {"base_url": base_url})
    assert (found.proxy, problems) == (expected, [])


def test_upstream_settings_proxy_that_is_none_is_refused() -> None:
    assert settings({"HTTPS_PROXY": "ftp://p"})[1] == ["upstream.proxy: the environment's proxy is not a proxy's URL"]


def test_upstream_settings_paths_and_slashes_are_normal() -> None:
    found, _ = settings({"SSL_CERT_FILE": "/e.pem"}, {"base_url": "https://h/v4/", "ca_file": "ca.pem"})
    assert (found.base_url, found.ca_file) == ("https://h/v4", "/etc/gw/ca.pem")
    assert settings({"SSL_CERT_FILE": "/e.pem"})[0].ca_file == "/e.pem"
