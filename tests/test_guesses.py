"""Failed authentications by address: a limit per minute, in bounded memory, that shuts out nobody who is known."""

from collections import Counter

import pytest
from prometheus_client import generate_latest
from support.upstreams import on_loop
from support.worker import ADMIN_KEY, RunningWorker, asking, running_worker

from gateway.core.errors import RateLimited
from gateway.guesses import PER_MINUTE, REMEMBERED, Guesses, Outcome
from gateway.keys import new_secret


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def guess(guesses: Guesses, address: str, times: int) -> None:
    for _ in range(times):
        guesses.check(address)
        guesses.note(address)


def test_check_past_the_limit_says_when_to_come_again() -> None:
    clock = Seconds()
    guesses = Guesses(clock)
    guess(guesses, "192.0.2.1", PER_MINUTE)
    clock.now += 20
    with pytest.raises(RateLimited) as caught:
        guesses.check("192.0.2.1")
    assert caught.value.retry_after == 40
    guesses.check("192.0.2.2")
    clock.now += 40
    guess(guesses, "192.0.2.1", PER_MINUTE)
    with pytest.raises(RateLimited):
        guesses.check("192.0.2.1")


def test_check_of_an_ipv6_customer_counts_the_whole_network() -> None:
    guesses = Guesses(Seconds())
    for number in range(PER_MINUTE):
        guesses.note(f"2001:db8:1:2::{number:x}")
    with pytest.raises(RateLimited):
        guesses.check("2001:db8:1:2:ffff::1%eth0")
    guesses.check("2001:db8:1:3::1")
    guess(guesses, "::ffff:192.0.2.9", PER_MINUTE)
    with pytest.raises(RateLimited):
        guesses.check("192.0.2.9")
    guess(guesses, "not:an:address", PER_MINUTE)
    with pytest.raises(RateLimited):
        guesses.check("not:an:address")


def test_memory_is_bounded_and_no_address_counts_for_nothing() -> None:
    guesses = Guesses(Seconds())
    for number in range(REMEMBERED + 100):
        guesses.note(f"198.51.{number >> 8}.{number & 255}")
    assert len(guesses._failures) == REMEMBERED
    guess(guesses, "", 3 * PER_MINUTE)


def test_failures_and_refusals_are_counted_without_an_address_too() -> None:
    told: list[Outcome] = []
    guesses = Guesses(Seconds(), told.append)
    guess(guesses, "192.0.2.1", PER_MINUTE)
    guesses.note("")
    with pytest.raises(RateLimited):
        guesses.check("192.0.2.1")
    assert Counter(told) == {"failed": PER_MINUTE + 1, "refused": 1}


async def ask_as(worker: RunningWorker, key: str, path: str = "/v1/models") -> int:
    answer = await worker.http.get(path, headers={"authorization": f"Bearer {key}"})
    if answer.status_code == 429:
        assert answer.json()["error"]["code"] == "rate_limit_exceeded"
        assert 0 < int(answer.headers["retry-after"]) <= 60
    return answer.status_code


@on_loop
async def test_guessing_address_is_told_to_wait_and_a_known_key_goes_on(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        assert (await worker.ask("hello")).status_code == 200
        statuses = []
        for number in range(PER_MINUTE + 3):
            body = asking("hello")
            key = new_secret() if number % 2 else "sk-wrong"
            headers = {"authorization": f"Bearer {key}"}
            answer = await worker.http.post("/v1/chat/completions", json=body, headers=headers)
            statuses.append(answer.status_code)
        assert statuses == [401] * PER_MINUTE + [429] * 3
        assert await ask_as(worker, "sk-wrong") == 429
        for path in ("/v1/organization/projects", "/v1/organization/limits/me"):
            assert await ask_as(worker, ADMIN_KEY, path) == 429  # before anything is compared
        assert (await worker.ask("hello")).status_code == 200
        text = generate_latest(worker.app._metrics.registry).decode()
        assert f'gateway_authentications_failed_total{{outcome="failed"}} {PER_MINUTE}.0' in text
        assert 'gateway_authentications_failed_total{outcome="refused"} 6.0' in text


@pytest.mark.parametrize("path", ["/v1/models", "/v1/organization/projects", "/v1/organization/limits/me"])
@on_loop
async def test_guesses_count_on_every_page_that_takes_a_key(store_url: str, path: str) -> None:
    async with running_worker(store_url) as worker:
        for _ in range(PER_MINUTE):
            assert await ask_as(worker, "sk-wrong", path) == 401
        assert await ask_as(worker, "sk-wrong", path) == 429
