"""Two replicas under load: a revoked key's next request is refused and its running streams end, on both, in seconds."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

import httpx2
import pytest
from support.gateway import GatewayProcess, gateway, simulator
from support.valkey import throw_away_store

from gateway.simulator import SimulatorOptions

STREAMS = 4  # of the key, on each replica
MOST_SECONDS = 5.0


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[GatewayProcess]]:
    folders = [tmp_path_factory.mktemp("replica") for _ in range(2)]
    with (
        throw_away_store() as store,
        simulator(SimulatorOptions()) as upstream,
        gateway(folders[0], upstream, store.url) as first,
        gateway(folders[1], upstream, store.url) as second,
    ):
        yield [first, second]


def body(text: str, **fields: Any) -> dict[str, Any]:  # any field of a request
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}


def read_stream(
    replica: GatewayProcess, secret: str, has_begun: threading.Barrier
) -> tuple[str, dict[str, Any], float]:
    """A long stream to its end: the request's id, its last object, and when it ended."""
    asked = body("Count to 2000 [[sim: pace=0.02 tokens=2000]]", stream=True, max_tokens=2000)
    headers = {"authorization": f"Bearer {secret}"}
    last, waits = "", True
    with httpx2.stream(
        "POST", f"{replica.base_url}/chat/completions", json=asked, headers=headers, trust_env=False, timeout=30
    ) as answer:
        for line in answer.iter_lines():
            if waits and line.startswith("data: "):
                has_begun.wait(30)
                waits = False
            if line.startswith("data: {"):
                last = line.removeprefix("data: ")
        ended = time.monotonic()
    return answer.headers["x-request-id"], json.loads(last), ended


def revoke(replica: GatewayProcess, project: str) -> None:
    (key,) = replica.admin("GET", f"/projects/{project}/api_keys")["data"]
    replica.admin("DELETE", f"/projects/{project}/api_keys/{key['id']}")


def disable(replica: GatewayProcess, project: str) -> None:
    (key,) = replica.admin("GET", f"/projects/{project}/api_keys")["data"]
    replica.admin("POST", f"/projects/{project}/api_keys/{key['id']}", json={"disabled": True})


def archive(replica: GatewayProcess, project: str) -> None:
    replica.admin("POST", f"/projects/{project}/archive")


@pytest.mark.parametrize("end", [revoke, disable, archive])
def test_running_streams_end_within_seconds_on_both_replicas_under_load(
    replicas: list[GatewayProcess], end: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    project, secret = replicas[0].make_key(f"to {end.__name__}")
    _, other = replicas[0].make_key("busy")
    is_over = threading.Event()

    def load(replica: GatewayProcess) -> int:
        """What others ask for meanwhile; how many were answered."""
        statuses = []
        while not is_over.is_set():
            statuses.append(replica.chat(body("hello [[sim: tokens=20]]"), other).status_code)
        assert set(statuses) == {200}
        return len(statuses)

    has_begun = threading.Barrier(2 * STREAMS + 1)
    with ThreadPoolExecutor(2 * STREAMS + 4) as clients:
        busy = [clients.submit(load, replica) for _, replica in zip(range(4), cycle(replicas), strict=False)]
        streams = [clients.submit(read_stream, replicas[n % 2], secret, has_begun) for n in range(2 * STREAMS)]
        try:
            has_begun.wait(30)
            end(replicas[0], project)
            revoked = time.monotonic()
            refused = [replica.chat(body("hello"), secret).status_code for replica in replicas]
            ended = [stream.result(30) for stream in streams]
        finally:
            is_over.set()
        served = sum(each.result(30) for each in busy)
    assert refused == [401, 401]
    lags = [moment - revoked for _, _, moment in ended]
    with capsys.disabled():
        print(f"\n{end.__name__}: {len(lags)} streams on 2 replicas ended {min(lags):.2f} to {max(lags):.2f} s later, "
              f"while others had {served} answers")  # fmt: skip
    assert max(lags) < MOST_SECONDS
    for request_id, last, _ in ended:
        assert last["error"]["code"] == "invalid_api_key"
        row = replicas[1].row(request_id)
        assert (row["end_reason"], row["status"]) == ("cut", 200)
        assert 0 < row["completion_tokens"] < 2000


def test_stream_of_a_key_that_may_finish_comes_to_its_end(replicas: list[GatewayProcess]) -> None:
    project, secret = replicas[0].make_key("may finish")
    (key,) = replicas[0].admin("GET", f"/projects/{project}/api_keys")["data"]
    replicas[0].admin("POST", f"/projects/{project}/api_keys/{key['id']}", json={"on_revoke": "finish"})
    has_begun = threading.Barrier(2)
    with ThreadPoolExecutor(1) as clients:
        asked = body("Count to 120 [[sim: pace=0.05 tokens=120]]", stream=True)
        headers = {"authorization": f"Bearer {secret}"}

        def read() -> list[str]:
            url = f"{replicas[1].base_url}/chat/completions"
            with httpx2.stream("POST", url, json=asked, headers=headers, trust_env=False, timeout=30) as answer:
                lines = answer.iter_lines()
                first = next(lines)
                has_begun.wait(30)
                return [first, *lines]

        stream = clients.submit(read)
        has_begun.wait(30)
        revoke(replicas[0], project)
        lines = stream.result(30)
    assert [line for line in lines if line][-1] == "data: [DONE]"
    assert replicas[1].chat(body("hello"), secret).status_code == 401
