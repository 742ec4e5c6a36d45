"""Writes what a store in use holds into an archive: records, counters, roll-ups, streams, rows, spool positions.

The store is read in small portions while requests go on, so this is no snapshot of one moment. The order makes it one
that can be completed: counters and roll-ups first, rows after them, then the positions of the spools, then the rows
that came meanwhile. Rows are the truth; restoring rebuilds from them what moved. A receipt past a spool's position is
sent again when the store is back, and one whose row came late is marked as settled: none is lost or booked twice. Left
out is what has no meaning elsewhere: reservations of requests in flight, sessions, leases. There are no secrets in a
store.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import msgspec

from gateway import __version__
from gateway.backup.archive import FORMAT, VERSION, Header, Kind, Writer
from gateway.ledger.audit.auditor import LEASE_MS
from gateway.ledger.audit.opening import read_state
from gateway.ledger.audit.reading import walk_rows
from gateway.store.contract import Argument, Reply, Store
from gateway.store.layout import Layout
from gateway.store.lease import Lease

PORTION: Final = 500  # keys per round trip
_FIELDS: Final = 1000  # of one key per round trip
_LATE_MS: Final = 3_600_000  # rows of requests that began so long ago may still be written while we read
_LEFT_OUT: Final = frozenset({
    "meta", "holds", "leases", "tombstones", "verification", "verification_lease", "repair_lease", "alerts_lease",
    "applied",
})  # fmt: skip
_LEFT_OUT_FAMILIES: Final = ("session:", "signins:", "govern:")

Progress = Callable[[int, str], None]
"""So many more entries are done; what they are."""

_encode_row = msgspec.json.Encoder().encode
_encode_slots = msgspec.msgpack.Encoder().encode
_decode_slots = msgspec.msgpack.Decoder(list[int]).decode


class CannotDump(Exception):
    """There is nothing to back up here, or not now; the message says why."""


class NothingToDump(CannotDump):
    """The store is nobody's."""


async def begin(store: Store, layout: Layout, *, demo: bool = False) -> Header:
    """The header of a backup of this store. Raises NothingToDump, and StoreAway."""
    instance, schema = await store.command("HMGET", layout.shared("meta"), "instance", "schema")
    if instance is None:
        raise NothingToDump("the store holds no gateway's data")
    seconds, _ = await store.command("TIME")
    return Header(
        FORMAT, VERSION, int(schema or 1), instance.decode(), layout.organization, int(seconds), __version__, demo
    )


async def dump(store: Store, layout: Layout, writer: Writer, progress: Progress) -> int:
    """Write everything but the end; how many rows. Raises StoreAway, CannotDump where rows are being trimmed."""
    lease = Lease(store, layout.shared("verification_lease"), f"backup.{secrets.token_hex(8)}", LEASE_MS)
    await lease.seize()  # who holds it trims, and we do not
    try:
        before = await read_state(store, layout)
        async for portion in _names(store, layout):
            await _write_keys(store, layout, writer, portion)
            progress(len(portion), "records and counters")
            await lease.seize()
        rows = await _write_rows(store, layout, writer, progress, lease)
        if before.pending or await read_state(store, layout) != before:
            raise CannotDump("rows were being trimmed meanwhile; try again now")
        return rows
    finally:
        await lease.release()


async def _names(store: Store, layout: Layout) -> AsyncIterator[list[str]]:
    """The organisation's keys that belong into a backup, in portions."""
    head = layout.shared("")
    pattern = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in head) + "*"
    cursor, seen = b"0", set[str]()
    while True:
        cursor, found = await store.command("SCAN", cursor, "MATCH", pattern, "COUNT", PORTION)
        names = [name.decode() for name in found if _belongs(name.decode().removeprefix(head))]
        fresh = [name for name in dict.fromkeys(names) if name not in seen]
        seen.update(fresh)
        if fresh:
            yield fresh
        if cursor == b"0":
            return


def _belongs(name: str) -> bool:
    return name not in _LEFT_OUT and not name.startswith(_LEFT_OUT_FAMILIES)


async def _write_keys(store: Store, layout: Layout, writer: Writer, names: Sequence[str]) -> None:
    """Every key of a portion, each in as many entries as it needs."""
    kinds = await store.pipeline([("TYPE", name) for name in names])
    wanted = [(name, kind.decode()) for name, kind in zip(names, kinds, strict=True) if kind != b"none"]
    head = layout.shared("")
    reads: list[tuple[str, str, bytes]] = [(name, kind, b"0" if kind != "stream" else b"-") for name, kind in wanted]
    while reads:
        replies = await store.pipeline([_READS[kind](name, place) for name, kind, place in reads])
        following = []
        for (name, kind, _), reply in zip(reads, replies, strict=True):
            parts, place = _parts(kind, reply)
            _add(writer, kind, name.removeprefix(head), parts)
            if place is not None:
                following.append((name, kind, place))
        reads = following


_READS: Final[dict[str, Callable[[str, bytes], tuple[Argument, ...]]]] = {
    "hash": lambda name, place: ("HSCAN", name, place, "COUNT", _FIELDS),
    "zset": lambda name, place: ("ZSCAN", name, place, "COUNT", _FIELDS),
    "string": lambda name, _: ("GET", name),
    "stream": lambda name, place: ("XRANGE", name, place, "+", "COUNT", _FIELDS),
}


def _parts(kind: str, reply: Reply) -> tuple[list[list[bytes]], bytes | None]:
    """What a reply holds, as the parts of entries, and where to read on."""
    if kind == "string":
        return ([] if reply is None else [[reply]]), None
    if kind == "stream":
        entries = [[name, *fields] for name, fields in reply]
        return entries, b"(" + reply[-1][0] if len(reply) == _FIELDS else None
    cursor, flat = reply
    return ([list(flat)] if flat else []), None if cursor == b"0" else cursor


def _add(writer: Writer, kind: str, name: str, parts: list[list[bytes]]) -> None:
    for each in parts:
        written = _without_holds(each) if name.startswith("spent:") else each
        if written:
            writer.add(_kind(kind), name, written)


def _kind(name: str) -> Kind:
    for kind in ("hash", "zset", "string", "stream"):
        if name == kind:
            return kind
    raise AssertionError(f"the store holds nothing of the type {name}")


def _without_holds(flat: list[bytes]) -> list[bytes]:
    """Counters of what was used: requests in flight at the backup are none of the restored store's."""
    kept: list[bytes] = []
    for field, value in zip(flat[::2], flat[1::2], strict=True):
        if field.startswith(b"r:"):
            slots = _decode_slots(value)
            kept += field, _encode_slots([0 if place % 3 == 2 else each for place, each in enumerate(slots)])
        elif not field.startswith(b"h:"):
            kept += field, value
    return kept


async def _write_rows(store: Store, layout: Layout, writer: Writer, progress: Progress, lease: Lease) -> int:
    """All rows, oldest first, the spools' positions, and the rows of the last hour that came behind our back."""
    seconds, _ = await store.command("TIME")
    recent_ms = int(seconds) * 1000 - _LATE_MS
    recent, count = set[str](), 0
    passes: tuple[tuple[int, Kind], ...] = ((0, "row"), (recent_ms, "late row"))
    for start_ms, kind in passes:
        async for entries in walk_rows(store, layout, start_ms, 2**53):
            rows = [entry.row for entry in entries if entry.row is not None and entry.id not in recent]
            recent.update(entry.id for entry in entries if entry.created_ms >= recent_ms)
            for row in rows:
                writer.add(kind, row.id, [_encode_row(row)])
            count += len(rows)
            progress(len(rows), "rows")
            await lease.seize()
        if kind == "row":  # what is seen from here on may be past the positions
            await _write_keys(store, layout, writer, [layout.shared("applied")])
    return count
