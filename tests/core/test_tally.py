"""Attempts add up to a receipt."""

from gateway.core.answer import Failure, Usage
from gateway.core.catalog import Model, Price
from gateway.core.eligibility import Candidate
from gateway.core.policies import tell_cost
from gateway.core.records import Identity, Key, Organization, Project
from gateway.core.tally import Circumstances, Consumption, Outcome, Tally, Timing, receipt

PRICE = Price("p1", 0, "page", 152_000_000, 287_000_000)
CANDIDATE = Candidate(Model("m", 32_000, (PRICE,)), 10, 100, 0, tell_cost)
TIMING = Timing(1, 20)
IDENTITY = Identity(
    Organization("org_1", 1), Project("proj_1", 1, "p", 0), Key("key_1", 1, "proj_1", "k", 0, "sk-…abcd", "svc_1"), "00"
)
CIRCUMSTANCES = Circumstances("req_1", 5, IDENTITY, "chat", "auto", "auto", "why", "m", "page", False, "cloudflare", {})


def test_tally_answered_attempt_is_priced_to_the_nano_dollar() -> None:
    tally = Tally()
    tally.answered(CANDIDATE, PRICE, Consumption(Usage(1_000_000, 1_000_000), "reported"), "stop", TIMING)
    assert tally.cost_nano == 439_000_000


def test_tally_usage_sums_attempts_and_keeps_the_weakest_source() -> None:
    tally = Tally()
    tally.answered(CANDIDATE, PRICE, Consumption(Usage(10, 5, 2, 0.5), "reported"), "stop", TIMING)
    tally.answered(CANDIDATE, PRICE, Consumption(Usage(10, 3), "counted"), "length", TIMING)
    assert tally.usage() == Usage(20, 8, 2, 0.5)
    assert tally.source == "counted"


def test_tally_neurons_are_computed_where_they_are_not_reported_and_say_so() -> None:
    model = Model("m", 32_000, (PRICE,), neurons_in_per_mtok=13_778, neurons_out_per_mtok=26_128)
    candidate = Candidate(model, 10, 100, 0, tell_cost)
    tally = Tally()
    tally.answered(candidate, PRICE, Consumption(Usage(10, 5, 0, 0.5), "reported"), "stop", TIMING)
    assert (tally.neurons_nano, tally.neurons_source) == (500_000_000, "reported")
    tally.answered(candidate, PRICE, Consumption(Usage(1000, 10), "counted"), "client_gone", TIMING)
    computed = 1000 * 13_778_000 + 10 * 26_128_000
    row = receipt(CIRCUMSTANCES, tally, Outcome("client_gone", 499, 30, 20))
    assert (row.neurons_nano, row.neurons_source) == (500_000_000 + computed, "computed")
    assert [entry.neurons_source for entry in row.attempts] == ["reported", "computed"]


def test_tally_failed_attempt_costs_nothing_and_is_kept() -> None:
    tally = Tally()
    tally.failed(CANDIDATE, Failure("capacity", "busy", code=3040, request_id="u"), TIMING)
    assert tally.cost_nano == 0
    assert (tally.attempts[0].end, tally.attempts[0].upstream_code) == ("capacity", 3040)
    assert tally.usage() == Usage(0, 0)


def test_receipt_of_a_tally_carries_sums_and_circumstances() -> None:
    tally = Tally()
    tally.failed(CANDIDATE, Failure("connect", "x"), TIMING)
    tally.answered(CANDIDATE, PRICE, Consumption(Usage(1000, 100, 0, 0.25), "reported"), "stop", TIMING)
    row = receipt(CIRCUMSTANCES, tally, Outcome("stop", 200, 30, 20))
    assert row.cost_nano == (1000 * 152 + 100 * 287)
    assert (row.prompt_tokens, row.completion_tokens, row.neurons_nano) == (1000, 100, 250_000_000)
    assert (row.usage_source, row.end_reason, len(row.attempts)) == ("reported", "stop", 2)
    assert (row.project_id, row.api_key_id, row.created_ms) == ("proj_1", "key_1", 5)
