"""The account: URL, headers, and which way a call takes."""

from pathlib import Path

import pytest
from support.upstreams import upstream_settings

from gateway.client.account import is_loopback, read_account


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8787", True),
        ("http://127.8.9.10/client/v4", True),
        ("http://localhost:8787", True),
        ("http://fake.localhost", True),
        ("http://[::1]:8787", True),
        ("https://api.cloudflare.com/client/v4", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example.org", False),
        ("no url at all", False),
    ],
)
def test_is_loopback_of_a_url_is_as_expected(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


def test_read_account_builds_the_account_url_and_keeps_secrets_out_of_its_repr() -> None:
    account = read_account(upstream_settings("https://api.example.org", proxy="http://user:pass@proxy:3128"))
    assert account.url == "https://api.example.org/client/v4/accounts/0123abcd"
    assert account.headers["authorization"] == "Bearer token-of-the-test"
    assert "token-of-the-test" not in repr(account)
    assert "pass" not in repr(account)


def test_read_account_without_a_token_sends_no_authorization() -> None:
    assert "authorization" not in read_account(upstream_settings("http://127.0.0.1:1", api_token="")).headers


def test_read_account_of_a_loopback_upstream_drops_the_proxy() -> None:
    assert read_account(upstream_settings("http://127.0.0.1:1", proxy="http://proxy:3128")).proxy == ""
    assert read_account(upstream_settings("http://up.example", proxy="http://proxy:3128")).proxy == "http://proxy:3128"


def test_read_account_without_its_ca_file_raises_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"missing\.pem"):
        read_account(upstream_settings("https://up.example", ca_file=str(tmp_path / "missing.pem")))
