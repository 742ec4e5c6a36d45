"""Brings an archive into a store: what it holds, then the books made to agree, and at the very end its identity.

Until that end the store carries no instance, so gateways that wait for their data go on counting it as away; the moment
it is there they connect, replay from their spools what the backup does not know, and serve. A store that belongs to a
gateway is only replaced when that is asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from gateway.backup.archive import BadArchive, Entry, Header, check_archive, read_entries
from gateway.backup.dump import PORTION, Progress
from gateway.core.receipt import Receipt
from gateway.ledger.audit.verification import Assignment, Verifier
from gateway.ledger.row_writing import row_commands
from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout
from gateway.store.redis_store import SCHEMA

_DELETED_AT_ONCE: Final = 1000
_SETTLED_MS: Final = 7 * 86_400_000  # for so long a gateway that was down may bring a receipt whose row is here

_decode_row = msgspec.json.Decoder(Receipt).decode


class CannotRestore(Exception):
    """The store must not be written, or the file not be read; the message says why."""


@dataclass(slots=True, frozen=True)
class Restored:
    """What was brought back. `repaired` are sums that had moved while the backup was made; `findings` stayed wrong."""

    header: Header
    entries: int
    repaired: int
    findings: int


def examine(path: Path) -> tuple[Header, int]:
    """The header and number of entries of a backup this gateway can restore. Raises CannotRestore."""
    try:
        header, entries = check_archive(path)
    except BadArchive as error:
        raise CannotRestore(f"{path} is not used: {error}") from error
    except OSError as error:
        raise CannotRestore(f"{path} cannot be read: {error.strerror or error}") from error
    if header.schema > SCHEMA:
        raise CannotRestore(
            f"{path} holds data of schema {header.schema}, of a newer gateway; this one knows {SCHEMA}: upgrade it"
        )
    return header, entries


async def owner_of(store: Store, layout: Layout) -> str | None:
    """The instance of the gateway whose data the store holds, None where it is nobody's."""
    found = await store.command("HGET", layout.shared("meta"), "instance")
    return None if found is None else str(found, "ascii")


async def restore(store: Store, layout: Layout, path: Path, progress: Progress) -> Restored:
    """Replace whatever lies under the prefix by the backup. Raises CannotRestore, and StoreAway."""
    header, entries = examine(path)
    await _clear(store, layout, progress)
    stream = read_entries(path)
    settled_until_ms = int((await store.command("TIME"))[0]) * 1000 + _SETTLED_MS
    while portion := list(islice(stream, PORTION)):
        await store.pipeline(list(_commands(layout, portion, settled_until_ms)))
        progress(len(portion), "entries")
    repaired, findings = await _agree(store, layout, progress)
    meta = layout.shared("meta")
    made = ("HSETNX", meta, "instance", header.instance)
    _, is_first = await store.pipeline([("HSET", meta, "schema", header.schema), made])
    if not is_first:
        raise CannotRestore("a gateway took the store while it was being filled; stop it and try again")
    return Restored(header, entries, repaired, findings)


def _commands(layout: Layout, entries: Iterable[Entry], settled_until_ms: int) -> Iterator[list[Argument]]:
    """The commands that write some entries; rows get their indexes, late ones a mark against their own receipts."""
    rows: list[Receipt] = []
    for entry in entries:
        name, parts = layout.shared(entry.name), entry.parts
        if entry.kind in ("row", "late row"):
            rows.append(_decode_row(parts[0]))
            if entry.kind == "late row":
                yield ["ZADD", layout.shared("tombstones"), settled_until_ms, entry.name]
        elif entry.kind == "hash":
            yield ["HSET", name, *parts]
        elif entry.kind == "string":
            yield ["SET", name, *parts]
        elif entry.kind == "stream":
            yield ["XADD", name, *parts]
        else:
            yield ["ZADD", name, *(part for at in range(0, len(parts), 2) for part in (parts[at + 1], parts[at]))]
    yield from row_commands(layout, rows)


async def _clear(store: Store, layout: Layout, progress: Progress) -> None:
    """Take everything under the prefix away, the identity first: from then on gateways count the store as away."""
    await store.command("DEL", layout.shared("meta"))
    pattern = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in layout.prefix) + "*"
    cursor = b"0"
    while True:
        cursor, found = await store.command("SCAN", cursor, "MATCH", pattern, "COUNT", _DELETED_AT_ONCE)
        if found:
            await store.command("UNLINK", *found)
            progress(0, "making room")
        if cursor == b"0":
            return


async def _agree(store: Store, layout: Layout, progress: Progress) -> tuple[int, int]:
    """Rebuild from the rows what does not follow from them: how much that was, and how much is still wrong."""
    counts = []
    for is_repair in (True, False):
        verifier, cursor, found = Verifier(store, layout, pauses=()), None, 0
        while True:
            portion = await verifier.portion(Assignment(cursor=cursor, is_repair=is_repair))
            found += len(portion.repaired if is_repair else portion.findings)
            progress(0, "the books")
            cursor = portion.cursor
            if cursor is None:
                break
        counts.append(found)
    return counts[0], counts[1]
