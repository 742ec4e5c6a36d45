"""How often an address may present a key that stands for nobody: counted per worker and minute, in bounded memory.

Nobody guesses 256 random bits; but whoever tries costs the store a look-up each time, and an admin key chosen by hand
may be shorter. Past the limit an address is told to wait, before anything is looked up or compared. Virtual keys this
worker has served within the last minute go on, so that one broken client does not shut out those behind its address.
"""

import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from gateway.core.errors import RateLimited

PER_MINUTE = 30
REMEMBERED = 4096  # addresses, those that failed last
_WINDOW_SECONDS = 60.0

Outcome = Literal["failed", "refused"]
"""A key stood for nobody, or was not even looked at because the address had to wait."""

_log = logging.getLogger("gateway.guesses")


def uncounted(_: Outcome) -> None:
    """Nobody counts."""


class Guesses:
    """Failed authentications by address. `clock` is seconds that never go back further than a minute.

    `count` is told of each, also of those without an address.
    """

    def __init__(self, clock: Callable[[], float], count: Callable[[Outcome], None] = uncounted) -> None:
        self._clock = clock
        self._count = count
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()  # since when, how many

    def check(self, address: str) -> None:
        """Raises RateLimited where the address has guessed too often within a minute."""
        if not address or not self._failures:
            return
        since, count = self._failures.get(_network(address), (0.0, 0))
        left = since + _WINDOW_SECONDS - self._clock()
        if count >= PER_MINUTE and left > 0:
            self._count("refused")
            raise RateLimited(
                "Too many requests with invalid API keys came from your address. Wait a minute and try again.",
                retry_after=left,
            )

    def note(self, address: str) -> None:
        """It has presented a key that stands for nobody; nothing is remembered where there is no address."""
        self._count("failed")
        if not address:
            return
        name, now = _network(address), self._clock()
        since, count = self._failures.pop(name, (now, 0))
        if now - since >= _WINDOW_SECONDS:
            since, count = now, 0
        self._failures[name] = since, count + 1
        if count + 1 == PER_MINUTE:
            _log.warning("%d failed authentications from %s within a minute: it has to wait", PER_MINUTE, name)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)


def _network(address: str) -> str:
    """The address; of IPv6 the network of 64 bits, which is what one customer has."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
