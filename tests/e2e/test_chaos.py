"""A part of the chaos table, shorter: whatever happens to the store, nobody hangs, nothing is lost, nothing restarts.

`make chaos` plays all of it and writes docs/chaos.md.
"""

import pytest
from support.chaos import FAULTS, play, table

from gateway.simulator import Simulator

SECONDS = 2.5
MOST_WAIT = 5.0  # two store calls and a busy machine


@pytest.mark.parametrize("name", ["frozen", "out of memory", "restarted empty"])
def test_fault_of_the_store_is_survived(upstream: Simulator, name: str) -> None:
    found = play(name, SECONDS, upstream)
    for rule, outcome in found.items():
        assert outcome.is_stream_whole, rule
        assert (outcome.rowless, outcome.findings, outcome.unadvised) == (0, 0, 0), (rule, outcome)
        assert outcome.longest < MOST_WAIT, (rule, outcome)
    assert set(found["deny"].statuses) <= {200, 503}
    assert found["deny"].statuses[503] > 0
    assert set(found["allow"].statuses) == {200}
    assert f"| {name} | `allow` |" in table(SECONDS, {name: found})


def test_table_knows_every_fault() -> None:
    assert list(FAULTS) == [
        "stopped", "frozen", "slow 2 s", "out of memory", "read-only", "flushed", "restarted empty",
    ]  # fmt: skip
