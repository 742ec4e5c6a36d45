"""Retirement is believed when confirmed, forgotten when answered, and tested again after a day."""

from gateway.fleet.health import RETEST_SECONDS, ModelHealth


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_health_one_retired_answer_is_not_believed() -> None:
    health = ModelHealth(Clock())
    health.called_retired("m")
    assert health.retired == {}


def test_health_two_retired_answers_take_a_model_out_for_a_day() -> None:
    clock = Clock()
    health = ModelHealth(clock)
    health.called_retired("m")
    health.called_retired("m")
    assert health.retired == {"m": 0.0}
    clock.now = RETEST_SECONDS
    assert health.retired == {}


def test_health_an_answer_clears_the_suspicion() -> None:
    health = ModelHealth(Clock())
    health.called_retired("m")
    health.answered("m")
    health.called_retired("m")
    assert health.retired == {}
    assert health.proven == frozenset()


def test_health_answering_models_are_proven() -> None:
    health = ModelHealth(Clock())
    health.answered("m")
    assert health.proven == {"m"}
