"""Planning counts once, in a thread where it is long, and puts in what the worker knows."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from support.clock import Clock
from support.ledgers import make_identity
from support.upstreams import on_loop

from gateway.config.load import load
from gateway.core.answer import Failure
from gateway.core.call import Call, Message
from gateway.core.eligibility import Sample
from gateway.core.errors import Forbidden
from gateway.core.records import Identity, Rules
from gateway.fleet.knowledge import Knowledge
from gateway.fleet.lengths import FEWEST_SAMPLES
from gateway.planning import Planning
from gateway.tokenizer import load_tokenizer

CATALOG = load("", {}, Path("/"), demo=False).catalog
ASKER = make_identity()
TOKENIZER = load_tokenizer(None)


def asking(text: str) -> Call:
    return Call("chat", "auto", (Message("user", text),))


@pytest.mark.parametrize("words", [10, 20_000])
@on_loop
async def test_planning_counts_the_same_in_a_thread(words: int) -> None:
    planning = Planning(TOKENIZER, Knowledge(Clock()), frozenset, Clock(), lambda: 0.5)
    facts = await planning.facts(asking("word " * words), ASKER)
    assert words < facts.prompt_tokens["llama3.1"] < words + 60
    assert facts.prompt_chars == facts.longest_content_chars == 5 * words - 1  # the template strips
    assert (facts.now, facts.draw) == (Clock().now, 0.5)


@on_loop
async def test_planning_knows_what_the_worker_learned() -> None:
    clock = Clock()
    knowledge = Knowledge(clock)
    planning = Planning(TOKENIZER, knowledge, frozenset, clock, lambda: 0.0)
    before = await planning.plan(asking("hi"), ASKER, CATALOG)
    for _ in range(2):
        knowledge.failed(before.candidates[0], Failure("retired", "x"))
    for _ in range(FEWEST_SAMPLES):
        knowledge.settled(Sample(ASKER.key.id, "auto", before.candidates[1].model.id, 7, None, 1.0))
    after = await planning.plan(asking("hi"), ASKER, CATALOG)
    assert [each.model.id for each in after.excluded] == [before.candidates[0].model.id]
    assert after.candidates[0].expected_output == 7
    other = await planning.plan(asking("hi"), make_identity(key="another"), CATALOG)
    assert other.candidates[0].expected_output == 256


@on_loop
async def test_planning_keeps_to_the_rules_of_the_key() -> None:
    planning = Planning(TOKENIZER, Knowledge(Clock()), frozenset, Clock(), lambda: 0.0)
    plain = make_identity()
    fast = "@cf/meta/llama-3.1-8b-instruct-fast"
    key = msgspec.structs.replace(plain.key, rules=Rules(allowed_models=(fast,)))
    narrow = Identity(plain.organization, plain.project, key, plain.key_hash)
    assert [each.model.id for each in (await planning.plan(asking("hi"), narrow, CATALOG)).candidates] == [fast]
    with pytest.raises(Forbidden):
        await planning.plan(replace(asking("hi"), requested_model="llama-3.1-8b-instruct-fp8"), narrow, CATALOG)
