"""The judgement of a store as a table, and what a real one says of itself."""

import asyncio
from dataclasses import replace

import pytest
from support.valkey import throw_away_store

from gateway.diagnosis.store_health import StoreFacts, examine_store, judge
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

GOOD = StoreFacts(
    info={
        "server_name": "valkey",
        "valkey_version": "9.1.0",
        "redis_version": "7.2.4",
        "role": "master",
        "maxmemory_policy": "noeviction",
        "maxmemory": "0",
        "used_memory": "1000000",
        "aof_enabled": "1",
        "aof_last_write_status": "ok",
    },
    fsync="everysec",
    latencies=(0.0002, 0.0003, 0.0009),
    skew=0.01,
)


def _with(**info: str) -> StoreFacts:
    return replace(GOOD, info={**GOOD.info, **info})


def test_judge_of_a_good_store_finds_nothing_wrong() -> None:
    findings = judge(GOOD)
    assert {finding.verdict for finding in findings} == {"ok"}
    assert "valkey 9.1.0" in findings[0].message


@pytest.mark.parametrize(
    ("facts", "check", "verdict"),
    [
        (_with(valkey_version="6.2.1"), "store version", "problem"),
        (_with(role="slave"), "store role", "problem"),
        (_with(cluster_enabled="1"), "store role", "problem"),
        (_with(maxmemory_policy="allkeys-lru"), "store memory", "problem"),
        (_with(maxmemory="1100000"), "store memory", "warning"),
        (_with(aof_enabled="0"), "store persistence", "problem"),
        (_with(aof_last_write_status="err"), "store persistence", "problem"),
        (replace(GOOD, fsync="no"), "store persistence", "warning"),
        (replace(GOOD, latencies=(0.02,)), "store latency", "warning"),
        (replace(GOOD, latencies=(0.5,)), "store latency", "problem"),
        (replace(GOOD, skew=5.0), "clock", "warning"),
        (replace(GOOD, skew=-3600.0), "clock", "problem"),
    ],
)
def test_judge_of_one_fault_names_it_with_a_fix(facts: StoreFacts, check: str, verdict: str) -> None:
    wrong = [finding for finding in judge(facts) if finding.verdict != "ok"]
    assert [(finding.check, finding.verdict) for finding in wrong] == [(check, verdict)]
    assert wrong[0].fix


def test_examine_store_of_a_real_one_writes_nothing_and_is_content() -> None:
    async def examine(url: str) -> None:
        findings = await examine_store(url, "doctor:")
        assert {finding.verdict for finding in findings} == {"ok"}, findings
        store = RedisStore(url, Layout())
        assert await store.command("DBSIZE") == 0
        await store.close()

    with throw_away_store() as store:
        asyncio.run(examine(store.url))


def test_examine_store_that_is_away_says_so_without_its_password() -> None:
    findings = asyncio.run(examine_store("redis://:canary@127.0.0.1:1/0", "gw:"))
    assert [finding.verdict for finding in findings] == ["problem"]
    assert "canary" not in repr(findings)
