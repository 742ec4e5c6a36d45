"""A limit that is set while requests run: they count in it from that moment on, and give back what they held."""

import asyncio
from typing import Any

import pytest
from support.upstreams import on_loop
from support.worker import FP8, RunningWorker, running_worker, until

SLOW = "hello [[sim: tokens=20 gate=door]]"
PROMPT_AND_OUTPUT = 250


async def in_flight(worker: RunningWorker, number: int) -> list["asyncio.Task[Any]"]:  # Any: answers are not looked at
    """So many requests that have been admitted and wait at a gate."""
    tasks = [asyncio.create_task(worker.ask(SLOW, max_tokens=PROMPT_AND_OUTPUT)) for _ in range(number)]
    await until(lambda: worker.upstream.state.gates.waiting.get("door") == number)
    return tasks


@pytest.mark.parametrize("scope", ["organization", "project", "key"])
@on_loop
async def test_limit_set_while_requests_run_counts_them(store_url: str, scope: str) -> None:
    async with running_worker(store_url) as worker:
        (key,) = (await worker.admin("GET", f"/projects/{worker.project}/api_keys"))["data"]
        path = {
            "organization": "",
            "project": f"/projects/{worker.project}",
            "key": f"/projects/{worker.project}/api_keys/{key['id']}",
        }[scope]
        running = await in_flight(worker, 3)
        limits = [
            {"kind": "concurrency", "limit": 3},
            {"kind": "money", "window": "total", "limit": 10**9},
            {"kind": "tokens", "window": "day", "limit": 10**6},
            {"kind": "requests", "window": "minute", "limit": 10},
            {"kind": "requests", "window": "hour", "limit": 11, "model": FP8},
            {"kind": "requests", "window": "hour", "limit": 12, "model": "llama-3.1-8b-instruct-fast"},
        ]
        shown = (await worker.admin("POST", f"{path}/limits", json={"limits": limits}))["data"]
        held = {(each["kind"], each["window"], each["model"]): each["held"] for each in shown}
        assert held["concurrency", "now", None] == held["requests", "minute", None] == 3
        assert held["requests", "hour", FP8] == 3
        assert held["requests", "hour", "@cf/meta/llama-3.1-8b-instruct-fast"] == 0
        assert held["tokens", "day", None] > 3 * PROMPT_AND_OUTPUT
        assert held["money", "total", None] > 0
        refused = await worker.ask("hello")
        assert (refused.status_code, refused.json()["gateway"]["kind"]) == (429, "concurrency")
        worker.upstream.state.gates.open("door")
        assert [answer.status_code for answer in await asyncio.gather(*running)] == [200] * 3
        await worker.rows(3)
        await until(lambda: worker.ledger.pending == 0)
        after = (await worker.admin("GET", f"{path}/limits"))["data"]
        assert {each["held"] for each in after} == {0}
        used = {(each["kind"], each["window"], each["model"]): each["used"] for each in after}
        assert used["requests", "minute", None] == used["requests", "hour", FP8] == 3
        assert (await worker.ask("hello")).status_code == 200
        await worker.rows(4)


@on_loop
async def test_limit_set_again_while_requests_run_counts_them_once(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        path = f"/projects/{worker.project}/limits"
        running = await in_flight(worker, 2)
        for limit in (5, None, 6, 7):
            shown = await worker.admin("POST", path, json={"limits": [{"kind": "concurrency", "limit": limit}]})
        assert [(each["limit"], each["held"]) for each in shown["data"]] == [(7, 2)]
        worker.upstream.state.gates.open("door")
        await asyncio.gather(*running)
        await worker.rows(2)


@on_loop
async def test_limit_of_another_project_leaves_them_alone(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        other = (await worker.admin("POST", "/projects", json={"name": "other"}))["id"]
        running = await in_flight(worker, 2)
        body = {"limits": [{"kind": "concurrency", "limit": 1}, {"kind": "requests", "window": "hour", "limit": 1}]}
        shown = await worker.admin("POST", f"/projects/{other}/limits", json=body)
        assert [each["held"] for each in shown["data"]] == [0, 0]
        worker.upstream.state.gates.open("door")
        await asyncio.gather(*running)
        await worker.rows(2)
