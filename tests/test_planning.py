"""Planning counts once, in a thread where it is long, and puts in what the worker knows."""

from pathlib import Path

import pytest
from support.clock import Clock
from support.upstreams import on_loop

from gateway.config.load import load
from gateway.core.answer import Failure
from gateway.core.call import Call, Message
from gateway.core.eligibility import Sample
from gateway.fleet.knowledge import Knowledge
from gateway.fleet.speeds import FEWEST_SAMPLES
from gateway.planning import Planning
from gateway.tokenizer import load_tokenizer

CATALOG = load("", {}, Path("/"), demo=False).catalog
TOKENIZER = load_tokenizer(None)


def asking(text: str) -> Call:
    return Call("chat", "auto", (Message("user", text),))


@pytest.mark.parametrize("words", [10, 20_000])
@on_loop
async def test_planning_counts_the_same_in_a_thread(words: int) -> None:
    planning = Planning(TOKENIZER, Knowledge(Clock()), Clock(), lambda: 0.5)
    facts = await planning.facts(asking("word " * words), "key")
    assert words < facts.prompt_tokens["llama3.1"] < words + 60
    assert facts.prompt_chars == facts.longest_content_chars == 5 * words - 1  # the template strips
    assert (facts.now, facts.draw) == (Clock().now, 0.5)


@on_loop
async def test_planning_knows_what_the_worker_learned() -> None:
    clock = Clock()
    knowledge = Knowledge(clock)
    planning = Planning(TOKENIZER, knowledge, clock, lambda: 0.0)
    before = await planning.plan(asking("hi"), "key", CATALOG)
    for _ in range(2):
        knowledge.failed(before.candidates[0], Failure("retired", "x"))
    for _ in range(FEWEST_SAMPLES):
        knowledge.settled(Sample("key", "auto", before.candidates[1].model.id, 7, None, 1.0))
    after = await planning.plan(asking("hi"), "key", CATALOG)
    assert [each.model.id for each in after.excluded] == [before.candidates[0].model.id]
    assert after.candidates[0].expected_output == 7
    other = await planning.plan(asking("hi"), "another key", CATALOG)
    assert other.candidates[0].expected_output == 256
