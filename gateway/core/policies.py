"""The policies: each puts eligible candidates in order, best first, and can say why each stands where it does.

One small pure function each, in the table at the end. They draw nothing themselves: where chance decides, one number
in [0, 1) is passed in, and what a draw leaves over is as random as the draw was.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.core.catalog import Route
from gateway.core.eligibility import Candidate, Facts

SPEED_SECONDS = 600.0  # a measured speed is believed for so long; then the model is tried again

Order = Callable[[list[Candidate], Route, Facts], None]


@dataclass(slots=True, frozen=True)
class Policy:
    """`order` sets every candidate's score and sorts in place, stably; `tell` words a candidate's reason."""

    order: Order
    tell: Callable[[Candidate], str]
    about: str  # what comes first, for the documentation


def _by_score(candidate: Candidate) -> float:
    return candidate.score


def _cheapest(candidates: list[Candidate], _: Route, __: Facts) -> None:
    for candidate in candidates:
        candidate.score = candidate.expected_nano
    if len(candidates) > 1:
        candidates.sort(key=_by_score)


def _ordered(candidates: list[Candidate], _: Route, __: Facts) -> None:
    for place, candidate in enumerate(candidates, 1):
        candidate.score = place


def _largest_window(candidates: list[Candidate], _: Route, __: Facts) -> None:
    for candidate in candidates:
        candidate.score = -candidate.window_tokens
    candidates.sort(key=_by_score)


def _smallest_sufficient_window(candidates: list[Candidate], _: Route, __: Facts) -> None:
    for candidate in candidates:
        candidate.score = candidate.window_tokens
    candidates.sort(key=_by_score)


def _fastest(candidates: list[Candidate], _: Route, facts: Facts) -> None:
    """The better of two drawn ones first: the best gets most calls, and no model is overrun or forgotten.

    One that was not measured lately counts as the fastest, so that it is. The doubtful are not drawn.
    """
    for candidate in candidates:
        candidate.score = expected_seconds(candidate, facts) or 0.0
    candidates.sort(key=lambda candidate: (candidate.doubt != "", candidate.score))
    count = sum(not candidate.doubt for candidate in candidates)
    if count > 2:
        first, rest = divmod(facts.draw * count, 1)
        second = int(rest * (count - 1))
        second += second >= first
        candidates.insert(0, candidates.pop(min(int(first), second)))


def _balanced(candidates: list[Candidate], route: Route, facts: Facts) -> None:
    """How many times the cheapest's cost and the fastest's time it takes, each by its declared weight."""
    cost, speed = route.weights.get("cost", 1.0), route.weights.get("speed", 1.0)
    seconds = [expected_seconds(candidate, facts) for candidate in candidates]
    quickest = min((found for found in seconds if found), default=1.0)
    cheapest = max(1, min(candidate.expected_nano for candidate in candidates))
    for candidate, found in zip(candidates, seconds, strict=True):
        times = cost * candidate.expected_nano / cheapest + speed * ((found or quickest) / quickest)
        candidate.score = times / ((cost + speed) or 1.0)
    candidates.sort(key=_by_score)


def _weighted(candidates: list[Candidate], route: Route, facts: Facts) -> None:
    """Drawn one after the other, by weight; weight 0 is drawn last. A model that is not named weighs 1."""
    weights = [route.weights.get(candidate.model.id, 1.0) for candidate in candidates]
    whole = sum(weights) or 1.0
    for candidate, weight in zip(candidates, weights, strict=True):
        candidate.score = 1 - weight / whole
    pool = list(zip(candidates, weights, strict=True))
    draw = facts.draw
    for place in range(len(candidates)):
        number, draw = _drawn([weight for _, weight in pool], draw)
        candidates[place] = pool.pop(number)[0]


def _drawn(weights: list[float], draw: float) -> tuple[int, float]:
    """The number that `draw` falls on, and what is left of the draw, again in [0, 1)."""
    mark = draw * sum(weights)
    for number, weight in enumerate(weights):
        if mark < weight:
            return number, mark / weight
        mark -= weight
    return 0, draw


def expected_seconds(candidate: Candidate, facts: Facts) -> float | None:
    """How long the expected answer would take; None where the model was not measured lately."""
    speed = facts.learned.speeds.get(candidate.model.id)
    if speed is None or facts.now - speed.measured_at > SPEED_SECONDS:
        return None
    return speed.first_token_seconds + candidate.expected_output / speed.tokens_per_second


def tell_cost(candidate: Candidate) -> str:
    """The reason under `cheapest`, and wherever there was no choice."""
    return (
        f"expected cost ${candidate.expected_nano / 1e9:.7f} for {candidate.prompt_tokens} prompt "
        f"and {candidate.expected_output} output tokens"
    )


def tell_pinned(_: Candidate) -> str:
    """The reason of a model asked for by its own name, ahead of its fallbacks."""
    return "asked for by name"


def _tell_speed(candidate: Candidate) -> str:
    if not candidate.score:
        return "not measured lately"
    return f"expected to take {candidate.score:.2f} s for {candidate.expected_output} output tokens"


POLICIES: Mapping[str, Policy] = {
    "cheapest": Policy(
        _cheapest, tell_cost, "the lowest expected cost: counted prompt x input price + expected answer x output price"
    ),
    "fastest": Policy(
        _fastest, _tell_speed, "the better of two drawn at random, by time to the first token and tokens a second"
    ),
    "balanced": Policy(
        _balanced,
        lambda candidate: f"{candidate.score:.2f} times the best in cost and speed, by their weights",
        "the lowest mean of relative cost and relative time, weighted by `cost` and `speed`",
    ),
    "ordered": Policy(
        _ordered,
        lambda candidate: f"number {candidate.score:.0f} of those in the route's list that can",
        "the first in the list",
    ),
    "weighted": Policy(
        _weighted,
        lambda candidate: f"drawn by weight, which gives it {(1 - candidate.score) * 100:.0f} % of such calls",
        "one drawn at random, by the models' weights",
    ),
    "largest_window": Policy(
        _largest_window, lambda candidate: f"window of {candidate.window_tokens} tokens", "the largest window"
    ),
    "smallest_sufficient_window": Policy(
        _smallest_sufficient_window,
        lambda candidate: f"window of {candidate.window_tokens} tokens is enough",
        "the smallest window that is enough",
    ),
}
"""Policy name → how it orders and what it says."""
