"""Every committed input of every parser that strangers reach: an answer or the promised refusal, and nothing else.

`make fuzz` looks for more.
"""

import random

import pytest
from support.fuzz_targets import TARGETS
from support.fuzzing import inputs, mutate

NEIGHBOURS = 3  # mutations tried of each input


@pytest.mark.parametrize("name", TARGETS)
def test_committed_inputs_are_answered_or_refused(name: str) -> None:
    found = inputs(name)
    assert len(found) >= 5
    for file in found:
        TARGETS[name].try_input(file.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_neighbours_of_committed_inputs_are_answered_or_refused(name: str) -> None:
    target, chance = TARGETS[name], random.Random(name)
    corpus = [file.read_bytes() for file in inputs(name)]
    for data in corpus:
        for _ in range(NEIGHBOURS):
            changed = mutate(data, corpus, target.words, chance)
            try:
                target.try_input(changed)
            except Exception as error:
                raise AssertionError(f"{name} breaks on {changed!r}") from error
