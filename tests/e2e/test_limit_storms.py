"""Three gateways, one store, 64 clients at once: no limit is ever exceeded, and what fits is answered."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx2
from support.gateway import GatewayProcess
from support.ledgers import read_books
from support.upstreams import on_loop
from support.valkey import ThrowAwayStore

from gateway.simulator import Simulator
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

CLIENTS = 64
MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"
MAX_TOKENS = 300
LEAST_TOKENS = 256  # min_output_tokens
INPUT_NANO, OUTPUT_NANO = 152, 287  # per token
_names = count(1)


def limited_key(replica: GatewayProcess, *limits: tuple[str, str, int]) -> tuple[str, str]:
    """A new key with limits (kind, window, limit): its project's id and its secret."""
    project, secret = replica.make_key(f"storm {next(_names)}")
    (key,) = replica.admin("GET", f"/projects/{project}/api_keys")["data"]
    wanted = [{"kind": kind, "window": window, "limit": limit} for kind, window, limit in limits]
    replica.admin("POST", f"/projects/{project}/api_keys/{key['id']}/limits", json={"limits": wanted})
    return project, secret


def body(directives: str = "tokens=200 delay=0.02") -> dict[str, Any]:  # members of several types
    text = f"Hello [[sim: prompt_tokens=30 {directives}]]"
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": MAX_TOKENS}


def storm(replicas: list[GatewayProcess], secret: str, asked: dict[str, Any], each: int = 1) -> list[httpx2.Response]:
    """What 64 clients, spread over the replicas, hear to `each` requests one after the other."""

    def play(number: int) -> list[httpx2.Response]:
        return [replicas[number % len(replicas)].chat(asked, secret) for _ in range(each)]

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [answer for found in clients.map(play, range(CLIENTS)) for answer in found]
    assert {answer.status_code for answer in answers} == {200, 429}
    return answers


def served(replica: GatewayProcess, project: str, answers: list[httpx2.Response]) -> list[dict[str, Any]]:
    """The rows of what was answered; there are no others."""
    found = [replica.row(answer.headers["x-request-id"]) for answer in answers if answer.status_code == 200]
    rows = replica.rows(**{"project_ids[]": project})
    assert {row["id"] for row in rows} == {row["id"] for row in found}
    return rows


def own_limits(replica: GatewayProcess, secret: str) -> dict[str, dict[str, Any]]:
    answer = httpx2.get(
        f"{replica.base_url}/organization/limits/me", headers={"authorization": f"Bearer {secret}"}, trust_env=False
    )
    return {limit["kind"]: limit for limit in answer.json()["data"]}


def refusals(answers: list[httpx2.Response], code: str) -> list[httpx2.Response]:
    found = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["error"]["code"] for answer in found} == {code}
    return found


def false_refusals(answers: list[httpx2.Response], claim: int) -> float:
    """The share of refusals that were given although the whole claim was free at that moment."""
    told = [answer.json()["gateway"] for answer in answers if answer.status_code == 429]
    wrong = [each for each in told if each["limit"] - each["used"] - each["held"] >= claim]
    print(f"{len(told)} refused of {len(answers)}, {len(wrong)} of them although their whole claim was free")
    return len(wrong) / max(1, len(told))


def test_storm_of_mixed_keys_under_one_project_budget_overspends_neither(replicas: list[GatewayProcess]) -> None:
    claim = 2 * 100 * INPUT_NANO + MAX_TOKENS * OUTPUT_NANO  # of about 45 tokens of prompt, generously
    budget, share = 12 * claim, 3 * claim
    project, first = replicas[0].make_key(f"mixed {next(_names)}")
    body_of = {"limits": [{"kind": "money", "window": "total", "limit": budget}]}
    replicas[0].admin("POST", f"/projects/{project}/limits", json=body_of)
    secrets = [first]
    for number in range(3):
        made = replicas[0].admin("POST", f"/projects/{project}/service_accounts", json={"name": f"k{number}"})
        secrets.append(made["api_key"]["value"])
    (limited, *_) = replicas[0].admin("GET", f"/projects/{project}/api_keys")["data"]
    own = {"limits": [{"kind": "money", "window": "total", "limit": share}]}
    replicas[0].admin("POST", f"/projects/{project}/api_keys/{limited['id']}/limits", json=own)

    def play(number: int) -> httpx2.Response:
        return replicas[number % 3].chat(body(), secrets[number % len(secrets)])

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(play, range(CLIENTS)))
    assert {answer.status_code for answer in answers} == {200, 429}
    scopes = {answer.json()["gateway"]["scope"] for answer in answers if answer.status_code == 429}
    assert "project" in scopes
    assert false_refusals(answers, claim) == 0
    rows = served(replicas[0], project, answers)
    assert sum(row["cost_nano"] for row in rows) <= budget
    assert sum(row["cost_nano"] for row in rows if row["api_key_id"] == limited["id"]) <= share
    assert len({row["api_key_id"] for row in rows}) > 1


def test_storm_on_money_for_ten_never_overspends(replicas: list[GatewayProcess]) -> None:
    prompt = replicas[0].row(replicas[0].chat(body()).headers["x-request-id"])["prompt_tokens"]
    budget = 10 * (2 * prompt * INPUT_NANO + MAX_TOKENS * OUTPUT_NANO)
    project, secret = limited_key(replicas[0], ("money", "total", budget))
    answers = storm(replicas, secret, body())
    for answer in refusals(answers, "insufficient_quota"):
        assert answer.headers["x-should-retry"] == "false"
        assert "retry-after" not in answer.headers
        assert answer.json()["gateway"]["used"] + answer.json()["gateway"]["held"] <= budget
    assert false_refusals(answers, prompt * INPUT_NANO + MAX_TOKENS * OUTPUT_NANO) == 0
    rows = served(replicas[0], project, answers)
    assert len(rows) >= 10  # ten full claims fitted from the beginning
    while (answer := replicas[len(rows) % 3].chat(body(), secret)).status_code == 200:
        rows.append(replicas[0].row(answer.headers["x-request-id"]))
    limit = own_limits(replicas[1], secret)["money"]
    assert (limit["used"], limit["held"]) == (sum(row["cost_nano"] for row in rows), 0)
    assert budget - limit["used"] < 4 * prompt * INPUT_NANO + 2 * LEAST_TOKENS * OUTPUT_NANO
    assert limit["used"] <= budget


def test_storm_on_requests_per_minute_admits_exactly_the_limit(replicas: list[GatewayProcess]) -> None:
    project, secret = limited_key(replicas[0], ("requests", "minute", 20))
    answers = storm(replicas, secret, body())
    assert len(served(replicas[0], project, answers)) == 20
    assert false_refusals(answers, 1) == 0
    for answer in refusals(answers, "rate_limit_exceeded"):
        assert answer.json()["error"]["type"] == "requests"
        assert 0 < int(answer.headers["retry-after-ms"]) <= 61_000
        assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    remaining = [int(answer.headers["x-ratelimit-remaining-requests"]) for answer in answers if answer.is_success]
    assert sorted(remaining) == list(range(20))  # every admission saw the one before it, on whatever replica
    assert {answer.headers["x-ratelimit-limit-requests"] for answer in answers} == {"20"}


def test_storm_on_tokens_per_minute_stays_below_the_limit(replicas: list[GatewayProcess]) -> None:
    limit = 8_000
    project, secret = limited_key(replicas[0], ("tokens", "minute", limit))
    answers = storm(replicas, secret, body())
    rows = served(replicas[0], project, answers)
    spent = sum(row["prompt_tokens"] + row["completion_tokens"] for row in rows)
    assert limit / 2 < spent <= limit
    assert false_refusals(answers, 30 + MAX_TOKENS) == 0
    for answer in refusals(answers, "rate_limit_exceeded"):
        assert answer.json()["error"]["type"] == "tokens"
        figures = answer.json()["gateway"]
        assert figures["used"] + figures["held"] <= limit
    found = own_limits(replicas[2], secret)["tokens"]
    assert (found["used"], found["held"]) == (spent, 0)


def test_storm_on_neurons_stays_below_the_limit(replicas: list[GatewayProcess]) -> None:
    limit = 100  # whole neurons; an answer of 200 tokens takes about 5
    project, secret = limited_key(replicas[0], ("neurons", "total", limit))
    answers = storm(replicas, secret, body())
    rows = served(replicas[0], project, answers)
    spent = sum(row["neurons"] for row in rows)
    assert limit / 2 < spent <= limit
    for answer in refusals(answers, "rate_limit_exceeded"):
        assert answer.json()["gateway"]["kind"] == "neurons"
        assert answer.headers["x-should-retry"] == "false"
    found = own_limits(replicas[2], secret)["neurons"]
    assert (found["limit"], found["held"]) == (limit, 0)
    assert found["used"] - 1 < spent <= found["used"]


def test_storm_on_one_model_admits_exactly_its_rate(replicas: list[GatewayProcess]) -> None:
    project, secret = replicas[0].make_key(f"storm {next(_names)}")
    (rate,) = [
        each for each in replicas[0].admin("GET", f"/projects/{project}/rate_limits")["data"] if each["model"] == MODEL
    ]
    replicas[0].admin("POST", f"/projects/{project}/rate_limits/{rate['id']}", json={"max_requests_per_1_minute": 20})
    answers = storm(replicas, secret, body())
    assert len(served(replicas[0], project, answers)) == 20
    for answer in refusals(answers, "rate_limit_exceeded"):
        assert answer.json()["gateway"]["model"] == MODEL
    other = replicas[1].chat({**body(), "model": "@cf/meta/llama-3.1-8b-instruct-fast"}, secret)
    assert other.status_code == 200  # no other model is in its way


def test_storm_on_concurrency_never_runs_more_at_once(replicas: list[GatewayProcess], exact: Simulator) -> None:
    project, secret = limited_key(replicas[0], ("concurrency", "now", 5))
    exact.record.clear()
    answers = storm(replicas, secret, body("tokens=20 delay=0.1"), each=4)
    assert exact.record.peak_running == 5
    assert false_refusals(answers, 1) == 0
    for answer in refusals(answers, "rate_limit_exceeded"):
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["gateway"]["held"] == 5
    served(replicas[0], project, answers)
    assert replicas[0].chat(body(), secret).status_code == 200  # all places are free again


def test_one_client_with_one_place_is_never_in_its_own_way(replicas: list[GatewayProcess]) -> None:
    _, secret = limited_key(replicas[0], ("concurrency", "now", 1))
    assert [replicas[0].chat(body("tokens=5"), secret).status_code for _ in range(20)] == [200] * 20


def test_request_larger_than_the_limit_is_told_not_to_come_again(replicas: list[GatewayProcess]) -> None:
    _, secret = limited_key(replicas[0], ("tokens", "minute", 100))
    answer = replicas[0].chat(body(), secret)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (429, "false")
    assert answer.json()["error"]["message"].startswith("Request too large")


@on_loop
async def test_storms_leave_nothing_held(replicas: list[GatewayProcess], store: ThrowAwayStore) -> None:
    layout = Layout()
    opened = RedisStore(store.url, layout)
    try:
        books = await read_books(opened, layout)
    finally:
        await opened.close()
    assert books.holds == set()
    assert sum(sum(held.values()) for held in books.held.values()) == 0
