"""A worker's own limits while the store is away: its last word and what was admitted since, within a share."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.allowance import Allowances, Amounts, Metered, Share, Shortage
from gateway.core.limits import Kind, meter_of
from gateway.core.records import Limit

NOW = 1_760_000_000_000
DAY = 86_400_000


def metered(kind: Kind, limit: int, window: str = "day", moment_ms: int = NOW) -> Metered:
    return Metered(3, "k:key_1", meter_of(Limit(kind, limit, window), moment_ms))


def claims(prompt: int = 0) -> Callable[[int], Amounts]:
    return lambda output: {"money": 10 * (prompt + output), "tokens": prompt + output, "requests": 1, "concurrency": 1}


def ask(books: Allowances, name: str, limit: Metered, output: int = 10, least: int = 10, at: int = NOW) -> object:
    return books.grant(name, (limit,), claims(), (output, least), at)


def told(limit: Metered, amount: int, at: int = NOW) -> Allowances:
    books = Allowances()
    books.learn({limit.place: {limit.slot(at): amount}})
    return books


def test_grant_without_a_last_word_is_nobodys_to_give() -> None:
    assert ask(Allowances(), "r1", metered("tokens", 100)) is None
    assert Allowances().grant("r1", (), claims(), (10, 10), NOW) == 10  # nothing is limited


def test_grant_counts_what_others_used_and_what_was_admitted_since() -> None:
    limit = metered("tokens", 100)
    books = told(limit, 70)
    assert [ask(books, f"r{number}", limit) for number in range(3)] == [10, 10, 10]
    refused = ask(books, "r4", limit)
    assert refused == Shortage(limit, used=100, needed=10, is_final=True)
    books.end("r1", {"tokens": 4})
    assert ask(books, "r5", limit, least=5) == 6


def test_grant_again_restates_the_claim_and_a_refusal_leaves_it() -> None:
    limit = metered("tokens", 100)
    books = told(limit, 0)
    assert ask(books, "r1", limit, 90) == 90
    assert ask(books, "r1", limit, 95) == 95
    assert isinstance(ask(books, "r1", limit, 150, least=101), Shortage)
    assert ask(books, "r2", limit, 10, least=1) == 5


def test_grant_in_a_new_calendar_window_starts_anew() -> None:
    books = told(metered("tokens", 100), 100)
    tomorrow = metered("tokens", 100, moment_ms=NOW + DAY)
    assert isinstance(ask(books, "r1", metered("tokens", 100)), Shortage)
    assert ask(books, "r1", tomorrow, 100, at=NOW + DAY) == 100


def test_grant_in_a_rolling_window_gets_back_what_has_left_it() -> None:
    limit = metered("requests", 3, "minute")
    books = told(limit, 1)
    assert [ask(books, f"r{number}", limit, at=NOW + number) for number in range(2)] == [10, 10]
    assert isinstance(ask(books, "r3", limit, at=NOW + 59_000), Shortage)
    assert ask(books, "r3", limit, at=NOW + 62_000) == 10


def test_concurrency_is_shared_out_anew_and_freed_by_the_end() -> None:
    limit = metered("concurrency", 2, "now")
    books = told(limit, 2)  # of requests that end unseen while the store is away
    assert [ask(books, "r1", limit), ask(books, "r2", limit)] == [10, 10]
    assert isinstance(ask(books, "r3", limit), Shortage)
    books.end("r1", {})
    assert ask(books, "r3", limit) == 10


@given(st.integers(0, 10**6), st.integers(1, 9))
def test_shares_of_all_workers_add_up(amount: int, workers: int) -> None:
    assert sum(Share(number, workers).of(amount) for number in range(workers)) == amount


def test_workers_of_a_replica_together_admit_what_was_left() -> None:
    limit = metered("requests", 10)
    admitted = 0
    for number in range(3):
        books = Allowances(Share(number, 3))
        books.learn({limit.place: {limit.slot(NOW): 3}})
        while isinstance(outcome := ask(books, f"r{admitted}", limit), int):
            admitted += 1
        assert isinstance(outcome, Shortage)
        assert not outcome.is_final  # others may have some left, or the store come back
    assert admitted == 7


def test_learn_counts_a_running_request_of_ours_once() -> None:
    limit = metered("tokens", 100)
    books = told(limit, 0)
    books.claim("running", (limit,), claims()(30), NOW)
    books.claim("ended", (limit,), claims()(30), NOW)
    books.end("ended", {"tokens": 20})
    books.ask()
    books.claim("meanwhile", (limit,), claims()(10), NOW)
    books.learn({limit.place: {limit.slot(NOW): 50}})  # what runs and what has ended
    assert ask(books, "r1", limit, 100, least=1) == 40
    books.end("running", {"tokens": 30})
    books.end("r1", {"tokens": 40})
    assert isinstance(ask(books, "r2", limit, 100, least=1), Shortage)


def test_ask_without_an_answer_loses_nothing() -> None:
    limit = metered("tokens", 100)
    books = told(limit, 0)
    for name in ("r1", "r2"):
        assert ask(books, name, limit, 30) == 30
        books.end(name, {"tokens": 30})
        books.ask()
    assert ask(books, "r3", limit, 100, least=1) == 40


@pytest.mark.parametrize("window", ["minute", "day"])
def test_tables_stay_small_over_a_long_absence(window: str) -> None:
    limit = metered("requests", 10**9, window)
    books = told(limit, 0)
    for second in range(2000):
        ask(books, f"r{second}", limit, at=NOW + 1000 * second)
        books.end(f"r{second}", {"requests": 1})
    assert max(len(slots) for table in (books._held, books._ended) for slots in table.places.values()) <= 241
