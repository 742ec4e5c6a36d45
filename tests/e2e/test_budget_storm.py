"""Many clients, little money: what is spent never exceeds the limit, and what could be paid was answered."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.gateway import GatewayProcess, gateway

from gateway.simulator import Simulator

BODY: dict[str, Any] = {
    "model": "@cf/meta/llama-3.1-8b-instruct-fp8",
    "messages": [{"role": "user", "content": "Hello [[sim: prompt_tokens=30 tokens=3000 delay=0.05]]"}],
    "max_tokens": 3_400,
}
LIMIT_NANO = 10_000_000  # one cent


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, exact: Simulator) -> Iterator[GatewayProcess]:
    with gateway(tmp_path_factory.mktemp("storm"), exact) as started:
        yield started


def test_storm_of_64_clients_on_one_cent_never_overspends(product: GatewayProcess) -> None:
    project, key = product.make_key("storm", limit_cents=1)
    with ThreadPoolExecutor(64) as clients:
        answers = list(clients.map(lambda _: product.chat(BODY, key), range(64)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["error"]["code"] == "project_spend_limit_exceeded"
            assert answer.headers["x-should-retry"] == "false"
            assert answer.json()["gateway"]["scope"] == "project"
    served = [product.row(answer.headers["x-request-id"]) for answer in answers if answer.status_code == 200]
    rows = product.rows(**{"project_ids[]": project})
    assert {row["id"] for row in rows} == {row["id"] for row in served}
    spent = sum(row["cost_nano"] for row in rows)
    assert spent <= LIMIT_NANO
    # What is left afterwards is less than one more answer with the least output costs.
    assert LIMIT_NANO - spent < 3_450 * 287 + 100 * 152
    last = product.chat(BODY | {"max_tokens": 100_000 // 4}, key)
    assert last.status_code in {200, 429}


def test_grant_is_what_is_left_down_to_the_least_output(product: GatewayProcess) -> None:
    _, key = product.make_key("nearly empty", limit_cents=1)
    body = {
        "model": BODY["model"],
        "messages": [{"role": "user", "content": "Tell me everything [[sim: tokens=31000]]"}],
    }
    first = product.chat(body | {"max_tokens": 31_000}, key)
    assert first.status_code == 200
    # 31,000 output tokens would cost 8.9 million nano-dollars: they fit once.
    second = product.chat(body | {"max_tokens": 31_000}, key)
    assert second.status_code == 200
    completion = product.row(second.headers["x-request-id"])["completion_tokens"]
    assert completion < 31_000
    third = product.chat(body | {"max_tokens": 31_000}, key)
    assert third.status_code == 429
