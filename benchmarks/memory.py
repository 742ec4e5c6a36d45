"""`python -m benchmarks.memory`: what a row, a roll-up field, counters and a hold take of the store, in bytes.

Differences of the server's `used_memory` over many of a kind, ids and names of real length; the receipts go the
ordinary way, through a spool and the settle step.
"""

import asyncio
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.subject import store as started_store
from gateway.core.catalog import Price
from gateway.core.receipt import Attempt, Receipt
from gateway.core.records import Identity, Key, Organization, Project
from gateway.ledger.contract import Held, HoldRequest
from gateway.ledger.service import LedgerOptions, StoreLedger
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

ROWS = 20_000
FIELDS = 20_000
HOLDS = 2_000
MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"
PRICE = Price("llama-3.1-8b-instruct-fp8@2025-02-20", 0, "Workers AI pricing page", 152_000_000, 287_000_000)


def _identity(number: int = 0) -> Identity:
    key = Key(f"key_{number:024x}", 1, "proj_" + "a" * 24, "k", 1, "sk-…abcd", "svc_1")
    return Identity(Organization("org_1", 1), Project(key.project_id, 1, "p", 1), key, f"{number:064x}")


def _receipt(number: int, created_ms: int, tags: dict[str, str]) -> Receipt:
    identity = _identity(number)
    attempt = Attempt(
        MODEL, "stop", 812, 164, neurons_nano=15_472_700_000, cost_nano=170_492, price_id=PRICE.id, latency_ms=1204
    )
    return Receipt(
        id=f"req_{secrets.token_hex(16)}", created_ms=created_ms, organization_id="org_1",
        project_id=identity.project.id, api_key_id=identity.key.id, surface="chat", requested_model="auto",
        route="auto", reason="cheapest", model=MODEL, prompt_tokens=812, completion_tokens=164, cached_tokens=0,
        cost_nano=170_492, neurons_nano=15_472_700_000, usage_source="reported", price_source=PRICE.source,
        end_reason="stop", status=200, stream=True, latency_ms=1204, ttft_ms=311, upstream="cloudflare",
        attempts=[attempt], tags=tags,
    )  # fmt: skip


class _Scales:
    """A ledger on a store of its own, and what the store weighs."""

    def __init__(self, store: RedisStore, layout: Layout, ledger: StoreLedger) -> None:
        self._store = store
        self._layout = layout
        self.ledger = ledger

    async def used(self) -> int:
        await self._store.command("DEL", self._layout.shared("tombstones"))  # gone after a minute by themselves
        report = (await self._store.command("INFO", "memory")).decode()
        return int(report.partition("used_memory:")[2].split()[0])

    async def weigh(self, name: str, count: int, write: Callable[[], Awaitable[None]]) -> None:
        """Print what each of `count` things takes."""
        before = await self.used()
        await write()
        print(f"{name:48} {(await self.used() - before) / count:8.0f} bytes")

    async def settle(self, receipts: list[Receipt]) -> None:
        for start in range(0, len(receipts), 1_000):
            for receipt in receipts[start : start + 1_000]:
                self.ledger.settle(receipt)
            await self.ledger.drain(asyncio.get_running_loop().time() + 60)

    async def hold(self, count: int) -> None:
        identity = _identity()
        for record, name in (
            (identity.organization, self._layout.shared("org")),
            (identity.project, self._layout.project(identity.project.id)),
            (identity.key, self._layout.key(identity.key_hash)),
        ):
            await self._store.command("HSET", name, "v", record.version, "data", "{}")
        for number in range(count):
            request = HoldRequest(
                f"req_{number:032x}", identity, MODEL, "auto", "auto", "chat", 812, 4096, 256, 1, PRICE, stream=True
            )
            if not isinstance(await self.ledger.hold(request), Held):
                raise AssertionError("nothing is limited here")


async def measure(url: str, folder: Path) -> None:
    """Everything, one after the other."""
    layout = Layout("gw:")
    store = RedisStore(url, layout)
    await store.bind_instance(None)
    ledger = StoreLedger(store, layout, folder, options=LedgerOptions(rollup_tags=("team",)))
    scales = _Scales(store, layout, ledger)
    now = int(time.time()) * 1000
    await scales.settle([_receipt(0, now, {}) for _ in range(1_000)])
    await scales.weigh(
        "a row, one attempt, no tags", ROWS, lambda: scales.settle([_receipt(0, now, {}) for _ in range(ROWS)])
    )
    tags = {"user": "u" * 24, "team": "search"}
    await scales.weigh("a row, two tags", ROWS, lambda: scales.settle([_receipt(0, now, tags) for _ in range(ROWS)]))
    fields = [part for number in range(FIELDS) for part in (_rollup(number), "1 812 164 0 170492 15472700000 0 0")]
    for letter, name in (("h", "a roll-up field by key, in a large table"), ("d", "the same, of a day")):
        key = layout.shared("use", letter, 0)
        await scales.weigh(name, FIELDS, lambda key=key: store.command("HSET", key, *fields))  # type: ignore[misc]  # bound now
    by_tag = [f"1795629600|{part}|team={number}" if not number % 2 else part for number, part in enumerate(fields)]
    await scales.weigh(
        "a roll-up field by tag, in a large table", FIELDS,
        lambda: store.command("HSET", layout.shared("use", "t", 0), *by_tag),
    )  # fmt: skip
    await scales.weigh(
        "a key's first request: row, roll-ups, counters", 2_000,
        lambda: scales.settle([_receipt(number, now, {}) for number in range(1, 2_001)]),
    )  # fmt: skip
    await scales.weigh("a hold", HOLDS, lambda: scales.hold(HOLDS))
    await ledger.close()
    await store.close()


def _rollup(number: int) -> str:
    return f"proj_{'a' * 24}|key_{number:024x}|{MODEL}"


def main() -> None:
    """Measure on a store of its own."""
    with tempfile.TemporaryDirectory(prefix="gwm") as folder, started_store(Path(folder) / "store") as url:
        asyncio.run(measure(url, Path(folder) / "spool"))


if __name__ == "__main__":
    main()
