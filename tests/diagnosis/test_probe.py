"""The probe against the simulator: every question has an answer on file, and no record holds a credential."""

import asyncio
from typing import Literal

import msgspec
import pytest

from gateway.config.settings import UpstreamSettings
from gateway.core.catalog import Model, Price
from gateway.diagnosis.probe import Probe, Record
from gateway.diagnosis.questions import QUESTIONS, UNKNOWN_MODEL
from gateway.simulator import SimulatorOptions, running
from gateway.tokenizer import load_tokenizer

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
MODEL = Model(FP8, 32_000, (Price("p", 0, "test", 1, 1),))
TOKEN = "canary-token-canary-token"


def _records(client: Literal["auto", "httpx2"] = "auto", scenario: str = "", burst: int = 0) -> list[Record]:
    tokenizer = load_tokenizer(None)

    async def ask() -> list[Record]:
        options = SimulatorOptions(secret_offset=False, api_token=TOKEN, count=tokenizer.count)
        async with running(options) as simulator:
            if scenario:
                simulator.set_scenario(scenario)
            upstream = UpstreamSettings(
                base_url=simulator.base_url, account_id=simulator.account_id, api_token=TOKEN, client=client
            )
            found = [record async for record in Probe(upstream, [MODEL], tokenizer, burst).records()]
            told = msgspec.json.encode(found).decode()
            assert TOKEN not in told
            assert simulator.account_id not in told
            return found

    return asyncio.run(ask())


@pytest.mark.parametrize("client", ["auto", "httpx2"])
def test_probe_records_an_answer_to_every_question(client: Literal["auto", "httpx2"]) -> None:
    found = {record.question: record for record in _records(client)}
    assert set(found) == {"catalogue", *(question.name for question in QUESTIONS)}
    assert [record.question for record in found.values() if record.failure] == []
    assert FP8 in found["catalogue"].text
    assert found["run"].status == 200
    assert found["stream"].text.rstrip().endswith("data: [DONE]")
    assert '"code":5025' in found["json"].text.replace(" ", "")
    assert found["window"].status == 413
    assert (found["unknown_model"].model, found["unknown_model"].status) == (UNKNOWN_MODEL, 400)


def test_probe_counts_as_the_model_does() -> None:
    found = {record.question: record for record in _records()}
    for name in ("count.text", "count.long", "count.system"):
        usage = msgspec.json.decode(found[name].text)["result"]["usage"]
        assert usage["prompt_tokens"] == found[name].ours
    assert found["tools.offered"].ours is None


def test_probe_of_an_upstream_that_repeats_the_token_hides_it_even_when_cut() -> None:
    scenario = f"rules: [{{match: {{}}, set: {{text: 'you are {TOKEN}', slice_every: 7}}}}]"
    found = {record.question: record for record in _records(scenario=scenario)}
    assert "<token>" in found["run"].text
    assert found["stream"].status == 200


def test_probe_of_a_breaking_upstream_records_the_failure_and_goes_on() -> None:
    found = {record.question: record for record in _records(scenario="rules: [{match: {}, set: {reset: request}}]")}
    assert len(found) == 1 + len(QUESTIONS)
    assert found["run"].failure


def test_probe_burst_records_each_kind_of_answer_once() -> None:
    scenario = "rules: [{match: {nth: 17}, set: {error: 3040}}]"
    found = [record for record in _records(scenario=scenario, burst=8) if record.question == "burst"]
    assert sum(record.times for record in found) == 8
    assert 200 in {record.status for record in found}
