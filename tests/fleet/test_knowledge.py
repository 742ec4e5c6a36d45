"""What a worker has been told is what whoever plans reads."""

from dataclasses import replace

from support.clock import Clock

from gateway.core.answer import Failure
from gateway.core.catalog import Model
from gateway.core.eligibility import NOTHING_LEARNED, Candidate, Sample
from gateway.core.policies import tell_cost
from gateway.fleet.breakers import FAILURES
from gateway.fleet.health import RETEST_SECONDS
from gateway.fleet.knowledge import Knowledge
from gateway.fleet.lengths import FEWEST_SAMPLES
from gateway.fleet.retry_budget import MOST
from gateway.fleet.windows import RELEARN_SECONDS

CANDIDATE = Candidate(Model("m", 128_000, (), successor="new"), 10, 100, 0, tell_cost)
SAMPLE = Sample("key", "auto", "m", output_tokens=40, first_token_seconds=0.5, total_seconds=2.5)


def test_knowledge_begins_with_nothing() -> None:
    knowledge = Knowledge(Clock())
    assert knowledge.learned() == NOTHING_LEARNED
    assert knowledge.outputs("key") == {}


def test_knowledge_of_retirement_is_confirmed_and_tested_again() -> None:
    clock = Clock()
    knowledge = Knowledge(clock)
    knowledge.failed(CANDIDATE, Failure("retired", "x"))
    assert knowledge.learned().retired == {}
    knowledge.failed(CANDIDATE, Failure("retired", "x"))
    assert knowledge.learned().retired.keys() == {"m"}
    clock.now += RETEST_SECONDS
    assert knowledge.learned().retired == {}
    knowledge.failed(CANDIDATE, Failure("retired", "x"))
    assert knowledge.learned().retired.keys() == {"m"}
    knowledge.answered(CANDIDATE)
    assert knowledge.learned().retired == {}
    assert knowledge.learned().proven == {"m"}


def test_knowledge_one_odd_answer_of_a_live_model_is_forgotten() -> None:
    knowledge = Knowledge(Clock())
    for _ in range(10):
        knowledge.answered(CANDIDATE)
        knowledge.failed(CANDIDATE, Failure("retired", "x"))
    assert knowledge.learned().retired == {}


def test_knowledge_of_rests_ends_with_an_answer() -> None:
    knowledge = Knowledge(Clock())
    for _ in range(FAILURES):
        knowledge.failed(CANDIDATE, Failure("capacity", "x"))
    assert knowledge.learned().resting.keys() == {"m"}
    knowledge.attempting("m")
    knowledge.answered(CANDIDATE)
    assert knowledge.learned().resting == {}


def test_knowledge_of_windows_and_limits() -> None:
    clock = Clock()
    knowledge = Knowledge(clock)
    knowledge.failed(CANDIDATE, Failure("too_long", "x", limit_tokens=24_000))
    assert knowledge.learned().windows == {"m": 24_000}
    clock.now += RELEARN_SECONDS
    assert knowledge.learned().windows == {}
    doubted = replace_doubt(CANDIDATE)
    knowledge.answered(doubted)
    assert knowledge.learned().unlimited == {"m"}


def replace_doubt(candidate: Candidate) -> Candidate:
    return Candidate(candidate.model, 10, 100, 0, tell_cost, doubt="content_chars")


def test_knowledge_of_a_stopped_account() -> None:
    clock = Clock()
    knowledge = Knowledge(clock)
    knowledge.failed(CANDIDATE, Failure("rate_limited", "x", code=971))
    stop = knowledge.learned().stop
    assert stop is not None
    assert stop.until == clock.now + 300


def test_knowledge_of_speed_and_length() -> None:
    knowledge = Knowledge(Clock())
    for _ in range(FEWEST_SAMPLES):
        knowledge.settled(SAMPLE)
    knowledge.settled(replace(SAMPLE, key_id="other"))
    assert knowledge.outputs("key") == {"auto": 40}
    assert knowledge.outputs("other") == {}
    assert knowledge.learned().speeds["m"].tokens_per_second == 20


def test_knowledge_retries_are_earned_by_answers() -> None:
    knowledge = Knowledge(Clock())
    assert sum(knowledge.take_retry() for _ in range(500)) == MOST
    for _ in range(10):
        knowledge.answered(CANDIDATE)
    assert knowledge.take_retry()
