"""Whose word about an address counts: tables of peers and headers."""

import pytest

from gateway.supervise.proxies import TrustedProxies

PROXIES = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # a stranger's word
        ("127.0.0.1", ["1.1.1.1, 203.0.113.7"], "203.0.113.7"),  # what the client itself wrote comes first
        ("127.0.0.1", ["1.1.1.1, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7", "10.1.2.3"], "203.0.113.7"),  # two lines are one list
        ("127.0.0.1", ["10.1.2.3, 10.4.5.6"], "10.1.2.3"),  # nobody but proxies: the farthest
        ("127.0.0.1", ["nonsense, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", ["203.0.113.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7:5123"], "203.0.113.7"),
        ("127.0.0.1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("fd00::5", ["203.0.113.7"], "203.0.113.7"),
        ("::ffff:10.1.2.3", ["203.0.113.7"], "203.0.113.7"),
        ("", ["203.0.113.7"], ""),
    ],
)
def test_client_is_the_last_address_that_is_no_proxy(peer: str, told: list[str], client: str) -> None:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", line.encode()) for line in told)]
    assert PROXIES.client_of(peer, headers) == client


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        TrustedProxies(["nowhere"])
