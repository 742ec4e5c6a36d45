"""100,000 keys in one store, three gateways: each key is found, each project's budget holds, nothing gets slower."""

import asyncio
import random
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import msgspec
import pytest
from support.gateway import GatewayProcess
from support.ledgers import assert_books_agree, read_books
from support.valkey import ThrowAwayStore

from gateway.core.records import Key, Limit, Project
from gateway.keys import hash_secret, new_secret
from gateway.store.contract import Argument
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

KEYS, PROJECTS, CLIENTS, EACH = 100_000, 100, 64, 6
REQUESTS_PER_PROJECT = 2
BODY: dict[str, Any] = {
    "model": "@cf/meta/llama-3.1-8b-instruct-fp8",
    "messages": [{"role": "user", "content": "Hello [[sim: prompt_tokens=30 tokens=10]]"}],
    "max_tokens": 300,
}


async def fill(store: ThrowAwayStore, known: random.Random) -> list[str]:
    """Write the records as the admin API would; the secrets of some of the keys."""
    opened, layout, now = RedisStore(store.url, Layout(), deadline_seconds=30), Layout(), int(time.time())
    secrets: list[str] = []
    limits = (Limit("requests", REQUESTS_PER_PROJECT, "total"),)
    for number in range(PROJECTS):
        name = f"proj_{number:024x}"
        project = Project(name, 1, f"Team {number}", now, limits=limits)
        await opened.pipeline(
            [
                ("HSET", layout.project(name), "v", 1, "data", msgspec.json.encode(project)),
                ("ZADD", layout.shared("projects"), now, name),
            ]
        )
        commands: list[tuple[Argument, ...]] = []
        for place in range(number, KEYS, PROJECTS):
            secret = new_secret() if known.random() < 0.02 else ""
            key_hash = hash_secret(secret) if secret else f"{place:064x}"
            secrets += [secret] if secret else []
            key = Key(f"key_{place:024x}", 1, name, "K", now, "sk-…abcd", "svc_1")
            commands += [
                ("HSET", layout.key(key_hash), "v", 1, "data", msgspec.json.encode(key)),
                ("HSET", layout.shared("key_hashes"), key.id, key_hash),
                ("ZADD", layout.shared("project_keys", name), now, key.id),
            ]
        await opened.pipeline(commands)
    await opened.close()
    return secrets


def test_storm_on_a_hundred_thousand_keys_keeps_every_projects_budget(
    replicas: list[GatewayProcess], store: ThrowAwayStore, capsys: pytest.CaptureFixture[str]
) -> None:
    known = random.Random(7)
    before = measure(replicas, replicas[0].key)
    secrets = asyncio.run(fill(store, known))
    after = measure(replicas, replicas[0].key)
    chosen = [known.choice(secrets) for _ in range(CLIENTS * EACH)]

    def play(number: int) -> list[httpx2.Response]:
        mine = chosen[number * EACH : (number + 1) * EACH]
        return [replicas[(number + place) % 3].chat(BODY, secret) for place, secret in enumerate(mine)]

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [answer for found in clients.map(play, range(CLIENTS)) for answer in found]
    statuses = Counter(answer.status_code for answer in answers)
    with capsys.disabled():
        print(f"\n{statuses[200]} answered, {statuses[429]} refused; one request took {before:.1f} ms with few keys, "
              f"{after:.1f} ms with {KEYS:,}")  # fmt: skip
    assert set(statuses) == {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            told = answer.json()["gateway"]
            assert (told["scope"], told["used"] + told["held"]) == ("project", REQUESTS_PER_PROJECT)  # no false refusal
    used = asyncio.run(used_by_project(store, {a.headers["x-request-id"] for a in answers if a.status_code == 200}))
    assert max(used.values()) == REQUESTS_PER_PROJECT
    page = replicas[1].admin("GET", f"/projects/proj_{5:024x}/api_keys", params={"limit": 100})
    assert (len(page["data"]), page["has_more"]) == (100, True)


def measure(replicas: list[GatewayProcess], secret: str) -> float:
    """Milliseconds of one request, the median of some."""
    moments = []
    for number in range(15):
        began = time.perf_counter()
        assert replicas[number % 3].chat(BODY, secret).status_code == 200
        moments.append(time.perf_counter() - began)
    return statistics.median(moments) * 1000


async def used_by_project(store: ThrowAwayStore, answered: set[str]) -> Counter[str]:
    """Rows by project, once every answered request has its own and nothing is held; the books agree."""
    opened = RedisStore(store.url, Layout(), deadline_seconds=30)
    for _ in range(100):
        books = await read_books(opened, Layout())
        if answered <= set(books.rows) and not books.holds:
            break
        await asyncio.sleep(0.2)
    await opened.close()
    assert answered <= set(books.rows)
    assert books.holds == set()
    assert_books_agree(books)
    return Counter(row.project_id for row in books.rows.values() if row.id in answered)
