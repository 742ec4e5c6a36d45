"""kill -9 of gateways in the middle of a storm: their holds return after the lease; nothing is lost or overspent."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from support.gateway import GatewayProcess
from support.ledgers import Books, assert_books_agree, read_books
from support.valkey import ThrowAwayStore

from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

CLIENTS = 48
PATIENCE_SECONDS = 75.0  # a lease of 30 s, and the round that ends it
LIMIT_NANO = 60_000_000
BODY: dict[str, Any] = {
    "model": "@cf/meta/llama-3.1-8b-instruct-fp8",
    "messages": [{"role": "user", "content": "Hello [[sim: prompt_tokens=30 tokens=300 delay=0.4]]"}],
    "max_tokens": 400,
}


async def final_books(store: ThrowAwayStore) -> tuple[Books, float]:
    """The books once nothing is held or owed any more, and after how long."""
    opened, began = RedisStore(store.url, Layout()), time.monotonic()
    while True:
        books = await read_books(opened, Layout())
        took = time.monotonic() - began
        if not (books.holds or books.rowless) or took > PATIENCE_SECONDS:
            await opened.close()
            return books, took
        await asyncio.sleep(0.5)


def test_killed_gateways_holds_return_after_the_lease_and_the_books_agree(
    replicas: list[GatewayProcess], store: ThrowAwayStore, capsys: pytest.CaptureFixture[str]
) -> None:
    project, secret = replicas[0].make_key("killed")
    limits = {"limits": [{"kind": "money", "window": "month", "limit": LIMIT_NANO}]}
    replicas[0].admin("POST", f"/projects/{project}/limits", json=limits)
    end = time.monotonic() + 5.0

    def play(number: int) -> list[str]:
        """What one client was answered: ids of requests."""
        answered: list[str] = []
        while time.monotonic() < end:
            try:
                answer = replicas[number % 3].chat(BODY, secret)
            except httpx2.HTTPError:  # its gateway is gone
                return answered
            if answer.status_code == 200:
                answered.append(answer.headers["x-request-id"])
        return answered

    with ThreadPoolExecutor(CLIENTS) as clients:
        playing = [clients.submit(play, number) for number in range(CLIENTS)]
        time.sleep(2.0)
        for victim in replicas[:2]:
            victim.kill()
        answered = {name for client in playing for name in client.result()}
    replicas[0].start()  # its spool is still there; the other one's receipts come when it is started as well
    replicas[1].start()
    books, took = asyncio.run(final_books(store))
    assert (books.holds, books.rowless) == (set(), set())
    assert sum(sum(held.values()) for held in books.held.values()) == 0
    assert_books_agree(books)
    assert answered <= set(books.rows)
    expired = [row for row in books.rows.values() if row.end_reason == "expired"]
    assert {row.usage_source for row in expired} <= {"estimated"}
    assert sum(row.cost_nano for row in books.rows.values() if row.project_id == project) <= LIMIT_NANO
    with capsys.disabled():
        print(f"\n{len(answered)} answers; {len(expired)} holds of killed gateways ended, the last after {took:.0f} s")
