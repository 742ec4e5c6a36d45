"""Retries are a fraction of the answers, whatever the upstream does."""

from support.clock import Clock

from gateway.fleet.retry_budget import MOST, RetryBudget


def test_budget_lasts_for_a_burst_and_not_for_a_storm() -> None:
    budget = RetryBudget(Clock())
    assert sum(budget.take() for _ in range(1000)) == MOST


def test_budget_is_earned_by_answers() -> None:
    budget = RetryBudget(Clock())
    while budget.take():
        pass
    for _ in range(50):
        budget.earn()
    assert sum(budget.take() for _ in range(1000)) in (9, 10)  # a fifth of the answers, less a fraction


def test_budget_is_earned_by_time_and_never_above_the_most() -> None:
    clock = Clock()
    budget = RetryBudget(clock)
    while budget.take():
        pass
    clock.now += 3
    assert sum(budget.take() for _ in range(1000)) == 3
    clock.now += 1e6
    assert sum(budget.take() for _ in range(1000)) == MOST
    clock.now -= 1e6
    assert not budget.take()
