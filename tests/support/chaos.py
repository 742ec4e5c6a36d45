"""What clients meet while the store is stopped, frozen, slow, full, read-only, flushed or empty, and what is lost.

`python -m support.chaos FILE` (`make chaos`) plays every fault against the whole product and writes the table of
docs/chaos.md; tests/e2e/test_chaos.py plays a part of it, shorter. Each fault has a store, a gateway and two keys of
its own: one with `on_store_down: deny`, one with `allow`; clients of both ask without a pause, before, during and
after, and each key has a stream open across the fault.
"""

import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from support.command_line import run_gateway
from support.gateway import GatewayProcess, gateway, simulator
from support.slow_link import SlowLink
from support.valkey import ThrowAwayStore, throw_away_store

from gateway.simulator import Simulator

RULES = ("deny", "allow")
CLIENTS = 2  # of each key
WARM_UP_SECONDS = 2.0
MOST_SECONDS = 60.0  # to be well again
MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"


@dataclass(slots=True)
class Scene:
    """One store with the gateway on it."""

    store: ThrowAwayStore
    link: SlowLink
    product: GatewayProcess
    backup: Path

    def restore(self) -> None:
        """Bring the data back as an operator does."""
        done = run_gateway(self.product.folder, ("restore", str(self.backup)), {}, "")
        if done.returncode != 0:
            raise AssertionError(done.stderr)


@dataclass(slots=True, frozen=True)
class Fault:
    """How it begins, and how it is put right."""

    begin: Callable[[Scene], None]
    mend: Callable[[Scene], None]
    mended_by: str


def _restart_empty(scene: Scene) -> None:
    scene.store.kill()
    shutil.rmtree(scene.store.folder / "appendonlydir")
    scene.store.start()


def _late(seconds: float) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.link.seconds = seconds

    return change


def _say(*words: str) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.store.ask(*words)

    return change


FAULTS: Mapping[str, Fault] = {
    "stopped": Fault(lambda scene: scene.store.kill(), lambda scene: scene.store.start(), "started again"),
    "frozen": Fault(lambda scene: scene.store.freeze(), lambda scene: scene.store.thaw(), "goes on"),
    "slow 2 s": Fault(_late(2.0), _late(0.0), "fast again"),
    "out of memory": Fault(
        _say("CONFIG", "SET", "maxmemory", "1"), _say("CONFIG", "SET", "maxmemory", "0"), "given memory"
    ),
    "read-only": Fault(_say("REPLICAOF", "127.0.0.1", "1"), _say("REPLICAOF", "NO", "ONE"), "made primary"),
    "flushed": Fault(_say("FLUSHALL"), Scene.restore, "`gateway restore`"),
    "restarted empty": Fault(_restart_empty, Scene.restore, "`gateway restore`"),
}


@dataclass(slots=True, frozen=True)
class Asked:
    """One request: when it was sent, how long it took, what came."""

    sent: float
    seconds: float
    status: int  # 0: no answer at all
    request_id: str
    advice: bool  # whether a refusal said when to come again


@dataclass(slots=True)
class Outcome:
    """What clients of one key saw of one fault, and what the books say afterwards."""

    statuses: Counter[int] = field(default_factory=Counter)  # while it lasted
    longest: float = 0.0  # seconds a client waited for any answer, at any time
    well_after: float = 0.0  # seconds from mending to the first answer of the stricter key
    is_stream_whole: bool = False
    answered: int = 0  # with 200, over the whole time
    rowless: int = 0  # of those without a row
    findings: int = 0  # of `gateway verify`
    unadvised: int = 0  # refusals without retry-after


def play(name: str, seconds: float, upstream: Simulator) -> dict[str, Outcome]:
    """One fault of so many seconds; what clients of either key saw."""
    with _scene(upstream) as scene, ThreadPoolExecutor(3 * CLIENTS + 2) as pool:
        keys = {rule: _make_key(scene.product, rule) for rule in RULES}
        is_over = threading.Event()
        clients = {
            rule: [pool.submit(_ask_on, scene.product, key, is_over) for _ in range(CLIENTS)]
            for rule, key in keys.items()
        }
        time.sleep(WARM_UP_SECONDS)
        done = run_gateway(scene.product.folder, ("backup", str(scene.backup)), {}, "")
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        streams = {rule: pool.submit(_stream, scene.product, key, seconds) for rule, key in keys.items()}
        time.sleep(0.5)
        fault = FAULTS[name]
        try:
            began = time.monotonic()
            fault.begin(scene)
            time.sleep(seconds)
            fault.mend(scene)
            mended = time.monotonic()
            well = _wait_until_well(scene.product, keys["deny"])
        finally:
            is_over.set()
        found = {}
        for rule in RULES:
            asked = [each for client in clients[rule] for each in client.result(MOST_SECONDS)]
            found[rule] = _outcome(asked, began, mended)
            found[rule].well_after = well - mended
            found[rule].is_stream_whole = streams[rule].result(MOST_SECONDS)
        _check_books(scene.product, found, clients)
        return found


def _outcome(asked: list[Asked], began: float, mended: float) -> Outcome:
    during = [each for each in asked if began <= each.sent < mended]
    return Outcome(
        statuses=Counter(each.status for each in during),
        longest=max(each.seconds for each in asked),
        answered=sum(each.status == 200 for each in asked),
        unadvised=sum(each.status == 503 and not each.advice for each in asked),
    )


@contextmanager
def _scene(upstream: Simulator) -> Iterator[Scene]:
    folder = Path(tempfile.mkdtemp(prefix="gwc", dir="/tmp"))
    try:
        with (
            throw_away_store() as store,
            SlowLink(store.folder, store.socket) as link,
            gateway(folder, upstream, link.url) as product,
        ):
            yield Scene(store, link, product, folder / "backup")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_key(product: GatewayProcess, rule: str) -> str:
    project, secret = product.make_key(rule)
    (key,) = product.admin("GET", f"/projects/{project}/api_keys")["data"]
    place = f"/projects/{project}/api_keys/{key['id']}"
    product.admin("POST", place, json={"on_store_down": rule})
    limits = [
        {"kind": "money", "window": "month", "limit": 10**12},
        {"kind": "requests", "window": "minute", "limit": 10**6},
    ]
    product.admin("POST", f"{place}/limits", json={"limits": limits})
    return secret


def _ask_on(product: GatewayProcess, key: str, is_over: threading.Event) -> list[Asked]:
    """Ask again and again until it is over."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello [[sim: tokens=20]]"}], "max_tokens": 50}
    headers = {"authorization": f"Bearer {key}"}
    found = []
    with httpx2.Client(base_url=product.base_url, headers=headers, trust_env=False, timeout=20) as client:
        while not is_over.is_set():
            sent = time.monotonic()
            try:
                answer = client.post("/chat/completions", json=body)
            except httpx2.HTTPError:
                found.append(Asked(sent, time.monotonic() - sent, 0, "", advice=False))
                continue
            advice = "retry-after" in answer.headers
            took = time.monotonic() - sent
            found.append(Asked(sent, took, answer.status_code, answer.headers["x-request-id"], advice))
            time.sleep(0.02)
    return found


def _stream(product: GatewayProcess, key: str, seconds: float) -> bool:
    """Whether a stream that is open across the fault comes to its end."""
    tokens = int((seconds + 2) / 0.05)
    content = f"Count [[sim: tokens={tokens} pace=0.05]]"
    body = {
        "model": MODEL,
        "stream": True,
        "max_tokens": tokens + 9,
        "messages": [{"role": "user", "content": content}],
    }
    headers = {"authorization": f"Bearer {key}"}
    url = f"{product.base_url}/chat/completions"
    with httpx2.stream("POST", url, json=body, headers=headers, trust_env=False, timeout=20) as answer:
        lines = [line for line in answer.iter_lines() if line]
    return lines[-1] == "data: [DONE]" and not any('"error"' in line for line in lines)


def _wait_until_well(product: GatewayProcess, key: str) -> float:
    """When a request of the stricter key is answered again."""
    deadline = time.monotonic() + MOST_SECONDS
    while product.chat({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}, key).status_code != 200:
        if time.monotonic() > deadline:
            raise AssertionError(f"not well again\n{product.log.read_text()[-4000:]}")
        time.sleep(0.02)
    return time.monotonic()


def _check_books(product: GatewayProcess, found: dict[str, Outcome], clients: dict[str, list]) -> None:  # type: ignore[type-arg]  # futures of lists of Asked
    """Every answered request has its row, and the books agree."""
    wanted = {
        rule: {each.request_id for client in clients[rule] for each in client.result() if each.status == 200}
        for rule in RULES
    }
    deadline = time.monotonic() + MOST_SECONDS / 3
    while True:
        rows = {row["id"] for row in product.rows()}
        if all(names <= rows for names in wanted.values()) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    findings, page = 0, None
    while True:
        portion = product.admin("GET", "/verify", params={"page": page} if page else {})
        findings += len(portion["findings"])
        page = portion["next_page"]
        if page is None:
            break
    for rule in RULES:
        found[rule].rowless = len(wanted[rule] - rows)
        found[rule].findings = findings


def table(seconds: float, outcomes: Mapping[str, Mapping[str, Outcome]]) -> str:
    """The page."""
    lines = [
        "# The store on bad days",
        "",
        f"Written by `make chaos`: every fault lasts {seconds:g} s, against `gateway serve`, a real store and the",
        f"simulator. {CLIENTS} clients of each key ask without a pause, and each key has a stream open across the",
        "fault. No gateway is restarted.",
        "",
        "| the store is | rule | answers while it lasts | longest wait | open stream | mended by | well again after | "
        "answered, without a row | books |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in outcomes.items():
        lines += [_line(name, rule, each) for rule, each in found.items()]
    lines += [
        "",
        "503 is `store_unavailable`, always with `retry-after`. *Longest wait* is of any request, before, during and",
        "after; a store call's deadline is 2 seconds, and requests that began before the fault may wait for it twice.",
        "A flushed or empty store is [brought back from a backup](operations.md#backup) that was made seconds before;",
        "what was answered since is replayed from the spool. What `on_store_down` means:",
        "[limits](limits.md#while-the-store-is-away).",
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, rule: str, each: Outcome) -> str:
    cells = (
        name,
        f"`{rule}`",
        ", ".join(f"{count} × {status}" for status, count in sorted(each.statuses.items())),
        f"{each.longest:.1f} s",
        "whole" if each.is_stream_whole else "broken",
        FAULTS[name].mended_by,
        f"{each.well_after:.1f} s",
        f"{each.answered}, {each.rowless}",
        "agree" if not each.findings else f"{each.findings} differences",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Play everything and write the page."""
    seconds = 8.0
    outcomes = {}
    with simulator() as upstream:
        for name in FAULTS:
            outcomes[name] = play(name, seconds, upstream)
            print(name, json.dumps({rule: str(each) for rule, each in outcomes[name].items()}), flush=True)
    Path(sys.argv[1]).write_text(table(seconds, outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
