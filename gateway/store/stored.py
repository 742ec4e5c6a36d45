"""Reading back what lies in the store as JSON: a record, or a refusal that names it. Never writes.

What another version of the gateway, or somebody's hand, wrote may be unreadable here. That is told to whoever asked and
to the log, and stops nothing else.
"""

import contextlib
import logging
import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import msgspec

from gateway.core.errors import RecordUnreadable

_log = logging.getLogger("gateway.store")

_ID: Final = re.compile(rb'"id"\s*:\s*"([A-Za-z0-9_-]{1,80})"')

RecordT = TypeVar("RecordT")


def stored(kind: type[RecordT], name: str) -> Callable[[bytes | str], RecordT]:
    """The reader of one kind of record. It raises RecordUnreadable, which calls the record by `name` and id."""
    decode = msgspec.json.Decoder(kind).decode

    def read(data: bytes | str) -> RecordT:
        try:
            return decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            found = _ID.search(data.encode() if isinstance(data, str) else bytes(data))
            which = f"{name} {found[1].decode()}" if found else name
            _log.error("%s in the store cannot be read: %s", which, error)
            raise RecordUnreadable(
                f"The store holds a record that this version of the gateway cannot read ({which}); another version may "
                "have written it. Whoever runs the gateway finds the cause in its log."
            ) from error

    return read


def readable(read: Callable[[bytes], RecordT], values: Iterable[bytes]) -> list[RecordT]:
    """Those that can be read, where one that cannot is no reason to do without the others. The log has it."""
    found = []
    for value in values:
        with contextlib.suppress(RecordUnreadable):
            found.append(read(value))
    return found
