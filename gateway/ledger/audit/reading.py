"""Reading rows, tables and single fields for a check, in portions that never stop the store. Never writes."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from gateway.core.receipt import Receipt
from gateway.ledger.audit.sums import Sums, parse_sums
from gateway.ledger.rows import decode_row
from gateway.store.contract import Argument, Reply, Store
from gateway.store.layout import Layout

ROWS_AT_ONCE = 100  # a reply of about 60 kB, a millisecond of this worker's time
_SCAN_COUNT = 1000
READS_AT_ONCE = 2000  # fields read in one step: about a millisecond of the store's time


@dataclass(slots=True, frozen=True)
class Indexed:
    """An entry of a time index and its row, None where there is none."""

    id: str
    created_ms: int
    row: Receipt | None


async def walk_rows(
    store: Store, layout: Layout, start_ms: int, end_ms: int, scope: str = ""
) -> AsyncIterator[list[Indexed]]:
    """The rows of `[start_ms, end_ms)`, oldest first, in portions; also entries whose row is gone."""
    lowest, seen = start_ms, 0  # `seen` entries of the millisecond `lowest` were read before
    while True:
        flat = await store.command(
            "ZRANGEBYSCORE", layout.rows(scope), lowest, f"({end_ms}", "WITHSCORES", "LIMIT", seen, ROWS_AT_ONCE
        )
        if not flat:
            return
        names = [name.decode() for name in flat[::2]]
        moments = [int(float(score)) for score in flat[1::2]]
        found = await store.pipeline([("GET", layout.row(name)) for name in names])
        yield [
            Indexed(name, moment, None if data is None else decode_row(data))
            for name, moment, data in zip(names, moments, found, strict=True)
        ]
        last = moments[-1]
        seen = moments.count(last) + (seen if last == lowest else 0)
        lowest = last


async def read_hash(store: Store, key: str, match: str = "*") -> dict[str, bytes]:
    """A whole hash, in steps, or its fields of a pattern."""
    found: dict[str, bytes] = {}
    cursor = b"0"
    while True:
        cursor, flat = await store.command("HSCAN", key, cursor, "MATCH", match, "COUNT", _SCAN_COUNT)
        found.update((name.decode(), value) for name, value in zip(flat[::2], flat[1::2], strict=True))
        if cursor == b"0":
            return found


async def read_table(store: Store, key: str, match: str = "*") -> dict[str, Sums]:
    """A roll-up, in steps: fields that change meanwhile are seen before or after. `match` as in `read_hash`."""
    return {name: parse_sums(value) for name, value in (await read_hash(store, key, match)).items()}


async def read_together(store: Store, places: Sequence[tuple[str, str]]) -> list[Reply]:
    """The values of (key, field) pairs at one moment; None where there is none."""
    keys = list(dict.fromkeys(key for key, _ in places))
    numbers = {key: number for number, key in enumerate(keys, 1)}
    arguments: list[Argument] = [part for key, field in places for part in (numbers[key], field)]
    found: list[Reply] = list(await store.script("read_together", keys, arguments))
    return found


def portions(groups: Iterable[tuple[str, int]], most: int = READS_AT_ONCE) -> list[list[str]]:
    """Names with their number of reads, put together so that no portion has more reads than `most` (or is alone)."""
    found: list[list[str]] = []
    size = most
    for name, reads in groups:
        if size + reads > most:
            found.append([])
            size = 0
        found[-1].append(name)
        size += reads
    return found
