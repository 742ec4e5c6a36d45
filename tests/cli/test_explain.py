"""`gateway explain` against a whole worker."""

import asyncio
import json
from pathlib import Path

from support.command_line import Command, Result, run_gateway
from support.upstreams import on_loop
from support.worker import FAST, FP8, RunningWorker, asking, running_worker


async def run(worker: RunningWorker, folder: Path, *arguments: str, **environ: str) -> Result:
    place = {"GATEWAY_URL": worker.url, "GATEWAY_API_KEY": worker.key, **environ}
    return await asyncio.to_thread(run_gateway, folder, ("explain", *arguments), place, "")


@on_loop
async def test_explain_prints_places_costs_and_reasons(store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(asking("word " * 9_000, "auto", n=2, max_tokens=100)))
    async with running_worker(store_url) as worker:
        table = await run(worker, tmp_path, str(file))
        assert table.returncode == 0, table.stderr
        heading, first, second, third = (line.split("  ") for line in table.stdout.splitlines())
        assert heading[0] == "MODEL"
        assert (first[0], second[0]) == (FAST, FP8)
        assert third[-1].strip() == "its window of 8192 tokens is too small"
        assert "prompt tokens, 2 times, route auto (cheapest); would hold " in table.stderr
        said = json.loads((await run(worker, tmp_path, str(file), "--json")).stdout)
        assert [each["model"] for each in said["candidates"]] == [FAST, FP8]
        assert worker.upstream.record.total == 0


@on_loop
async def test_explain_failures_say_what_to_do(store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(asking("hi", "gpt-9")))
    async with running_worker(store_url) as worker:
        refused = await run(worker, tmp_path, str(file))
        assert (refused.returncode, "does not exist" in refused.stderr) == (1, True)
        missing = await run(worker, tmp_path, "nope.json")
        assert (missing.returncode, "Cannot read nope.json" in missing.stderr) == (2, True)
        stranger = await run(worker, tmp_path, str(file), GATEWAY_API_KEY="sk-nobody")
        assert (stranger.returncode, "virtual key from GATEWAY_API_KEY" in stranger.stderr) == (4, True)
        keyless = await run(worker, tmp_path, str(file), GATEWAY_API_KEY="")
        assert (keyless.returncode, "No virtual key" in keyless.stderr) == (4, True)


def test_explain_what_is_no_json_exits_2(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "body.txt").write_text("hello")
    refused = bare("explain", "body.txt")
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: body.txt is not JSON")
