"""`gateway backup` and `restore` beside a running gateway: its store is wiped and comes back, without a restart."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Result, run_gateway
from support.gateway import ADMIN_KEY, GatewayProcess, gateway, simulator
from support.running import wait_until
from support.valkey import ThrowAwayStore, throw_away_store

from gateway.backup.place import opened_store
from gateway.config.load import load

BODY: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="module")
def store() -> Iterator[ThrowAwayStore]:
    with throw_away_store() as found:
        yield found


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, store: ThrowAwayStore) -> Iterator[GatewayProcess]:
    with simulator() as upstream, gateway(tmp_path_factory.mktemp("product"), upstream, store.url) as started:
        yield started


def command(product: GatewayProcess, *arguments: str, answer: str = "") -> Result:
    return run_gateway(product.folder, arguments, {}, answer)


def totals(product: GatewayProcess) -> list[tuple[int, int]]:
    """Requests and tokens of every day, by the usage API."""
    day = int(time.time()) - 86_400
    usage = product.admin("GET", "/usage/completions", params={"start_time": day, "limit": 3})
    results = [entry for bucket in usage["data"] for entry in bucket["results"]]
    return [(entry["num_model_requests"], entry["input_tokens"] + entry["output_tokens"]) for entry in results]


def verify(product: GatewayProcess) -> Result:
    environ = {"GATEWAY_URL": product.origin, "GATEWAY_ADMIN_KEY": ADMIN_KEY}
    return run_gateway(product.folder, ("verify",), environ, "")


def status(product: GatewayProcess) -> int:
    return product.chat(BODY).status_code


def test_wiped_store_is_restored_and_the_same_key_goes_on(
    product: GatewayProcess, store: ThrowAwayStore, tmp_path: Path
) -> None:
    answers = [product.chat(BODY) for _ in range(6)]
    for answer in answers:
        product.row(answer.headers["x-request-id"])
    before, file = totals(product), tmp_path / "backup"
    done = command(product, "backup", str(file))
    assert (done.returncode, "6 rows" in done.stderr) == (0, True), done.stderr
    assert all(done.stderr.splitlines()), "a pipe gets no empty lines"
    assert product.key not in file.read_bytes().decode("latin-1")
    store.ask("FLUSHALL")
    wait_until(lambda: status(product) == 503, "the empty store is away")
    refused = product.chat(BODY)
    assert refused.json()["error"]["code"] == "store_unavailable"
    assert "retry-after" in refused.headers
    done = command(product, "restore", str(file))
    assert (done.returncode, "The books agree." in done.stderr) == (0, True), done.stderr
    assert all(done.stderr.splitlines()), "a pipe gets no empty lines"
    wait_until(lambda: status(product) == 200, "the same key works again")
    last = product.chat(BODY)
    product.row(last.headers["x-request-id"])  # in the books
    assert totals(product)[-1][0] >= before[-1][0] + 1
    assert {answer.headers["x-request-id"] for answer in answers} <= {row["id"] for row in product.rows()}
    checked = verify(product)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_restore_over_a_store_in_use_is_refused_unless_asked_for(product: GatewayProcess, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    told = json.loads(command(product, "backup", str(file), "--json").stdout)
    assert told["bytes"] == file.stat().st_size
    refused = command(product, "restore", str(file))
    assert (refused.returncode, "--replace" in refused.stderr) == (1, True)
    assert command(product, "restore", str(file), "--replace", answer="n\n").returncode != 0
    assert status(product) == 200
    assert command(product, "restore", str(file), "--replace", "--yes").returncode == 0
    wait_until(lambda: status(product) == 200, "it goes on")


def test_backup_of_nothing_and_restore_of_no_backup_say_so(product: GatewayProcess, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    refused = command(product, "restore", str(tmp_path / "text"))
    assert (refused.returncode, "no backup" in refused.stderr) == (1, True)
    refused = command(product, "backup", str(tmp_path / "none" / "file"))
    assert (refused.returncode, "There is no directory" in refused.stderr) == (2, True)
    config = tmp_path / "config.yaml"
    config.write_text(product.config.read_text().replace("store: {", 'store: {prefix: "nobody:", '))
    refused = command(product, "backup", str(tmp_path / "backup"), "--config", str(config))
    assert (refused.returncode, "no gateway's data" in refused.stderr) == (1, True)
    config.write_text(product.config.read_text().replace(product.store_url, "redis://127.0.0.1:1"))
    refused = command(product, "backup", str(tmp_path / "backup"), "--config", str(config))
    assert (refused.returncode, "cannot be used" in refused.stderr) == (3, True)
    assert not (tmp_path / "backup").exists()


async def fill_demo(folder: Path) -> None:
    """A demo's store that belongs to a gateway and holds nothing else."""
    async with opened_store(load("", {}, folder, demo=True)) as (store, layout):
        await store.command("HSET", layout.shared("meta"), "instance", "0123", "schema", "1")


def test_demo_and_real_data_are_told_apart(tmp_path: Path) -> None:
    asyncio.run(fill_demo(tmp_path))
    real, file = tmp_path / "data" / "store", str(tmp_path / "backup")
    missed = run_gateway(tmp_path, ("backup", file), {}, "")
    assert (missed.returncode, f"embedded store {real}." in missed.stderr) == (1, True), missed.stderr
    assert f"A demo's data is in {tmp_path / 'data' / 'demo'}: add --demo." in missed.stderr
    assert not real.exists()
    assert run_gateway(tmp_path, ("backup", file, "--demo"), {}, "").returncode == 0
    refused = run_gateway(tmp_path, ("restore", file), {}, "")
    assert (refused.returncode, "The backup is a demo's" in refused.stderr) == (1, True), refused.stderr
    assert not real.exists()
    done = run_gateway(tmp_path, ("restore", file, "--yes"), {}, "")
    assert (done.returncode, f"Into data directory {tmp_path / 'data'}," in done.stderr) == (0, True), done.stderr
    assert run_gateway(tmp_path, ("backup", file), {}, "").returncode == 0
    refused = run_gateway(tmp_path, ("restore", file, "--demo", "--replace"), {}, "n\n")
    assert (refused.returncode, "leave --demo out" in refused.stderr) == (1, True), refused.stderr
