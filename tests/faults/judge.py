"""What the ledger must say after a fault, whatever it was: the other side of the fault matrix.

An answered request has exactly one row, with the simulator's tokens. A request whose client never saw the end has at
most one, and exactly one if the upstream was asked, within its hold, and it says how its figures are known. Nothing has
a row that nobody asked for. Rows, roll-ups and counters agree, nothing is held, and `verify` finds nothing.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from support.gateway import GatewayProcess
from support.ledgers import Books, assert_books_agree, read_books

from faults.load import MAX_TOKENS, Asked
from faults.rig import Rig
from gateway.core.receipt import Receipt
from gateway.simulator.record import CallRecord
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

QUIET_SECONDS = 240.0
MOST_PROMPT_TOKENS = 400


@dataclass(slots=True)
class Verdict:
    """Of one mode (streamed or not). `wrong` is empty, or the matrix has failed."""

    requests: int = 0
    answered: int = 0
    as_reported: int = 0  # answered, one row, the simulator's tokens
    as_estimated: int = 0  # answered, one row, but the receipt did not survive: its hold's estimate stands
    in_flight: int = 0  # the upstream was asked, the client never saw the end
    sources: Counter[str] = field(default_factory=Counter)  # of their rows
    nothing_asked: int = 0  # refused or cut before the upstream was asked
    wrong: list[str] = field(default_factory=list)


def judge(rig: Rig, asked: Sequence[Asked], *, may_estimate: bool = False) -> dict[str, Verdict]:
    """Wait until the ledger is quiet, then compare. `may_estimate`: receipts were destroyed on disk."""
    books = asyncio.run(_quiet_books(rig, [each.tag for each in asked if each.is_answered]))
    assert_books_agree(books)
    assert all(not +held for held in books.held.values()), books.held
    assert (books.holds, books.rowless) == (set(), set())
    findings = verify(rig.gateways[0])
    assert findings == [], findings
    rows: dict[str, list[Receipt]] = defaultdict(list)
    for row in books.rows.values():
        rows[row.tags["user"]].append(row)
    strange = rows.keys() - {each.tag for each in asked}
    assert not strange, strange
    calls: dict[str, list[CallRecord]] = defaultdict(list)
    for call in [*rig.upstream.record.calls, *rig.upstream.record.running.values()]:
        calls[call.tag].append(call)
    verdicts = {"streamed": Verdict(), "whole": Verdict()}
    for each in asked:
        verdict = verdicts["streamed" if each.is_stream else "whole"]
        _judge_one(verdict, each, rows[each.tag], calls[each.tag], may_estimate)
    return verdicts


def _judge_one(
    verdict: Verdict, asked: Asked, rows: Sequence[Receipt], calls: Sequence[CallRecord], may_estimate: bool
) -> None:
    verdict.requests += 1
    served = [call for call in calls if call.status == 200 or call.end == "running"]
    if len(rows) > 1 or (asked.is_answered and not rows):
        verdict.wrong.append(f"{asked.tag}: {len(rows)} rows, answered: {asked.is_answered}")
        return
    if rows and not _is_within_hold(rows[0]):
        verdict.wrong.append(f"{asked.tag}: beyond its hold: {rows[0]}")
    if asked.is_answered:
        verdict.answered += 1
        if _is_true(rows[0], served):
            verdict.as_reported += 1
        elif may_estimate and rows[0].usage_source == "estimated":
            verdict.as_estimated += 1
        else:
            verdict.wrong.append(f"{asked.tag}: {rows[0]} for {served}")
    elif served:
        verdict.in_flight += 1
        if rows:
            verdict.sources[rows[0].usage_source] += 1
        else:
            verdict.wrong.append(f"{asked.tag}: no row for {served}")
    else:
        verdict.nothing_asked += 1


def _is_within_hold(row: Receipt) -> bool:
    attempts = max(1, len(row.attempts))
    return row.completion_tokens <= attempts * MAX_TOKENS and row.prompt_tokens <= attempts * MOST_PROMPT_TOKENS


def _is_true(row: Receipt, calls: Sequence[CallRecord]) -> bool:
    told = sum(call.prompt_tokens for call in calls), sum(call.completion_tokens for call in calls)
    return row.usage_source == "reported" and (row.prompt_tokens, row.completion_tokens) == told


async def _quiet_books(rig: Rig, answered: Sequence[str]) -> Books:
    """The books once nothing is held or owed and every answered request has its row, or the time is over."""
    layout = Layout("gw:")
    store = RedisStore(rig.store.url, layout)
    deadline = time.monotonic() + QUIET_SECONDS
    try:
        while True:
            held, rowless = await store.pipeline([("HLEN", layout.shared("holds")), ("HLEN", layout.shared("rowless"))])
            is_over = time.monotonic() > deadline
            if (not held and not rowless) or is_over:
                books = await read_books(store, layout)
                found = {row.tags["user"] for row in books.rows.values()}
                if is_over or (not books.holds and found.issuperset(answered)):
                    return books
            await asyncio.sleep(0.5)
    finally:
        await store.close()


def verify(product: GatewayProcess) -> list[dict[str, object]]:
    """Every finding of a whole verification."""
    found: list[dict[str, object]] = []
    page: str | None = None
    while True:
        answer = product.admin("GET", "/verify", params={} if page is None else {"page": page})
        found += answer["findings"]
        page = answer["next_page"]
        if page is None:
            return found
