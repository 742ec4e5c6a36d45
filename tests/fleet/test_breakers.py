"""A breaker's life: closed, open, probation, and back."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.clock import Clock

from gateway.fleet.breakers import FAILURES, FIRST_REST, LONGEST_REST, TRIAL_SECONDS, Breakers


def opened(clock: Clock) -> Breakers:
    breakers = Breakers(clock)
    for _ in range(FAILURES):
        breakers.failed("m", "capacity")
    return breakers


def test_breaker_opens_after_failures_in_a_row_only() -> None:
    clock = Clock()
    breakers = Breakers(clock)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            assert breakers.failed("m", "server_error") is None
        breakers.answered("m")
    assert breakers.state("m") == "closed"
    assert opened(clock).state("m") == "open"
    assert opened(clock).resting == {"m": clock.now + FIRST_REST}


def test_breaker_ignores_failures_that_are_not_the_models() -> None:
    breakers = Breakers(Clock())
    for _ in range(50):
        for kind in ("quota", "rate_limited", "rejected", "too_long", "unmet", "not_authorized", "retired"):
            assert breakers.failed("m", kind) is None
    assert breakers.state("m") == "closed"


def test_breaker_on_probation_lets_one_request_through() -> None:
    clock = Clock()
    breakers = opened(clock)
    clock.now += FIRST_REST
    assert breakers.state("m") == "probation"
    breakers.attempting("m")
    assert breakers.state("m") == "open"
    assert breakers.resting["m"] == clock.now + TRIAL_SECONDS
    assert breakers.answered("m")
    assert breakers.state("m") == "closed"
    assert breakers.resting == {}
    assert breakers.failed("m", "capacity") is None


def test_breaker_failed_trials_double_the_rest_up_to_the_longest() -> None:
    clock = Clock()
    breakers = opened(clock)
    rests = []
    for _ in range(7):
        clock.now = breakers.resting["m"]
        breakers.attempting("m")
        rests.append(breakers.failed("m", "cut"))
    assert rests == [4, 8, 16, 32, LONGEST_REST, LONGEST_REST, LONGEST_REST]


def test_breaker_stragglers_do_not_lengthen_a_rest() -> None:
    clock = Clock()
    breakers = opened(clock)
    assert breakers.failed("m", "capacity") is None
    assert breakers.resting == {"m": clock.now + FIRST_REST}


def test_breaker_trial_that_never_ends_gives_way_to_another() -> None:
    clock = Clock()
    breakers = opened(clock)
    clock.now += FIRST_REST
    breakers.attempting("m")
    clock.now += TRIAL_SECONDS
    assert breakers.state("m") == "probation"


def test_breaker_clock_that_jumps_back_ends_the_rest() -> None:
    clock = Clock()
    breakers = opened(clock)
    clock.now -= 10_000
    assert breakers.state("m") == "probation"


class BreakerMachine(RuleBasedStateMachine):
    """Whatever happens, a model that answers is closed, and no rest is longer than the longest."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breakers = Breakers(self.clock)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def answer(self) -> None:
        self.breakers.answered("m")
        assert self.breakers.state("m") == "closed"

    @rule()
    def fail(self) -> None:
        was_closed = self.breakers.state("m") == "closed"
        rest = self.breakers.failed("m", "capacity")
        assert (rest is not None) <= (self.breakers.state("m") == "open")
        assert was_closed or self.breakers.state("m") == "open"

    @rule()
    def attempt(self) -> None:
        self.breakers.attempting("m")
        assert self.breakers.state("m") != "probation"

    @invariant()
    def rests_are_bounded(self) -> None:
        assert self.breakers.resting.get("m", 0) <= self.clock.now + LONGEST_REST


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
