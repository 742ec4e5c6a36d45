"""Whose word about the client's address counts: `X-Forwarded-For` from declared proxies, and from nobody else.

Decides only. Each proxy appends the address it was called from, so the list is read from its end: the client is the
last address that is no proxy of ours. What comes before that anybody could have written.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network

Headers = Iterable[tuple[bytes, bytes]]

_HEADER = b"x-forwarded-for"
_ADDRESS = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9A-Fa-f:.]+)")
_REMEMBERED = 4096  # addresses; a few proxies, or a network of them


class TrustedProxies:
    """The declared ones, as addresses and networks. Raises ValueError for what is neither."""

    def __init__(self, declared: Sequence[str]) -> None:
        self._networks = tuple(ip_network(each, strict=False) for each in declared)
        self._is_trusted = lru_cache(_REMEMBERED)(self._look_up)

    def client_of(self, peer: str, headers: Headers) -> str:
        """The client's address, by the peer's and by what trusted proxies say."""
        if not self._is_trusted(peer):
            return peer
        told = b",".join(value for name, value in headers if name == _HEADER).decode("latin-1")
        found = peer
        for entry in reversed(told.split(",")):
            match = _ADDRESS.fullmatch(entry.strip())
            if match is None:
                break  # nothing, or nothing that anybody could use: the one who sent it stands for it
            found = match[1] or match[2] or match[3]
            if not self._is_trusted(found):
                break
        return found

    def _look_up(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self._networks)
