"""Who is next: each project by its weight, nobody for having been quiet, and only those who may."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.fair_queue import FairQueue, Waiting


def everybody(_: object) -> bool:
    return True


def served(queue: FairQueue[str], turns: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for _ in range(turns):
        following = queue.next(everybody)
        assert following is not None
        found[following.project] += following.size
    return found


@pytest.mark.parametrize(
    ("weights", "turns", "expected"),
    [
        ({"busy": 1, "calm": 1}, 100, {"busy": 50, "calm": 50}),
        ({"busy": 1, "calm": 3}, 100, {"busy": 25, "calm": 75}),
        ({"busy": 2, "calm": 3, "third": 5}, 100, {"busy": 20, "calm": 30, "third": 50}),
    ],
)
def test_next_serves_projects_by_weight_however_long_their_lines(
    weights: dict[str, int], turns: int, expected: dict[str, int]
) -> None:
    queue: FairQueue[str] = FairQueue()
    for project, weight in weights.items():
        for _ in range(1_000 if project == "busy" else 100):
            queue.join(Waiting(project, weight, 1, ""))
    found = served(queue, turns)
    for project, count in expected.items():
        assert abs(found[project] - count) <= 1


def test_next_counts_what_a_request_takes() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(100):
        queue.join(Waiting("large", 1, 4, ""))
        queue.join(Waiting("small", 1, 1, ""))
    found = served(queue, 75)
    assert abs(found["large"] - found["small"]) <= 4


def test_join_after_a_quiet_time_earns_nothing() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(100):
        queue.join(Waiting("always", 1, 1, ""))
    served(queue, 50)
    for _ in range(50):
        queue.join(Waiting("late", 1, 1, ""))
    found = served(queue, 40)
    assert abs(found["always"] - found["late"]) <= 1


def test_next_passes_by_who_may_not_and_keeps_the_order_of_a_line() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "b1", "a2"):
        queue.join(Waiting("p", 1, 1, item))
    first = queue.next(lambda item: item.startswith("b"))
    assert first is not None
    assert first.item == "b1"
    assert queue.next(lambda item: item.startswith("b")) is None
    assert [waiting.item for waiting in queue] == ["a1", "a2"]
    assert (len(queue), queue.length("p"), queue.length("q")) == (2, 2, 0)


def test_leave_takes_nobody_elses_place() -> None:
    queue: FairQueue[str] = FairQueue()
    one, two = Waiting("p", 1, 1, "one"), Waiting("p", 1, 1, "two")
    queue.join(one)
    queue.join(two)
    queue.leave(one)
    queue.leave(one)
    queue.leave(Waiting("q", 1, 1, "nobody"))
    assert [waiting.item for waiting in queue] == ["two"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.booleans()), max_size=80))
def test_queue_serves_everybody_once_and_forgets_projects(steps: list[tuple[str, int, bool]]) -> None:
    queue: FairQueue[int] = FairQueue()
    joined, left = 0, []
    for project, weight, is_joining in steps:
        if is_joining:
            queue.join(Waiting(project, weight, 1, joined))
            joined += 1
        elif (found := queue.next(everybody)) is not None:
            left.append(found.item)
    while (found := queue.next(everybody)) is not None:
        left.append(found.item)
    assert sorted(left) == list(range(joined))
    assert len(queue) == 0
    assert len(queue._lines) <= 3
