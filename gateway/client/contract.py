"""What dispatch needs of an HTTP client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.answer import Failure

CallHeaders = Sequence[tuple[str, str]]
"""Headers of one call: lower-case names, values of printable ASCII."""


@dataclass(slots=True, frozen=True)
class Reply:
    """A complete upstream response; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ReplyStream(Protocol):
    """An open upstream response whose body is read as it arrives."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes | Failure:
        """The next network read; b"" at the clean end of the body; `Failure("cut")` where it broke or stalled."""
        ...

    async def close(self) -> None:
        """Close the upstream connection if the body was not read to its end. May be called twice."""
        ...


class Client(Protocol):
    """Speaks HTTP to the upstream's account URL. Paths are appended to it as they are (`@` and slashes raw).

    Nothing is retried. `Failure("connect")` means that no byte of the request was sent; every other kind may have been
    billed. A cancelled call gives its task back at once; its connection is closed at once where the headers were there,
    else when they come or their time is up, at the latest.
    """

    name: str

    async def fetch(self, path: str, body: bytes, deadline: float, headers: CallHeaders = ()) -> Reply | Failure:
        """POST and read the whole answer. `deadline` is loop time (monotonic seconds) for all of it.

        `headers` go out besides the account's.
        """
        ...

    async def open(self, path: str, body: bytes, deadline: float, headers: CallHeaders = ()) -> ReplyStream | Failure:
        """POST and return when the headers are there, without reading ahead. `deadline` is for the headers."""
        ...

    async def get(self, path: str, deadline: float) -> Reply | Failure: ...

    async def close(self) -> None: ...
