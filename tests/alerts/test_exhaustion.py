"""Which refusals mean that a budget is used up, and that it is told although its last nano-dollar is left."""

import pytest
from support.budgets import Play, World
from support.ledgers import make_identity

from gateway.alerts.exhaustion import Exhaustion
from gateway.alerts.watch import AlertWatch
from gateway.core.alerts import ReachedThreshold
from gateway.core.limits import used_field, window_at
from gateway.ledger.contract import Refused
from gateway.organization.limit_changes import LimitChange


def refused(**given: object) -> Refused:
    plain = {"scope": "project", "kind": "money", "window": "month", "limit": 1000, "used": 995, "held": 0}
    return Refused(**{**plain, "resets_at": None, "needed": 10, **given})  # type: ignore[arg-type]  # of several types


@pytest.mark.parametrize(
    ("given", "is_noted"),
    [
        ({}, True),
        ({"scope": "key"}, True),
        ({"scope": "organization"}, True),
        ({"held": 5}, True),
        ({"used": 899, "needed": 200}, False),  # a large request, and still something left for others
        ({"used": 900, "held": 95}, False),  # it is in flight, and may come back
        ({"needed": 1001}, False),  # larger than the whole limit
        ({"window": "minute"}, False),
        ({"window": "day", "model": "@cf/a"}, False),
        ({"kind": "concurrency", "window": "now"}, False),
    ],
)
def test_exhaustion_is_noted_where_a_budget_is_as_good_as_used_up(given: dict[str, object], is_noted: bool) -> None:
    exhaustion = Exhaustion()
    exhaustion.note(refused(**given), make_identity())
    assert bool(exhaustion.take()) is is_noted
    assert exhaustion.take() == []


def test_exhausted_budgets_raise_their_100_percent_once(play: Play) -> None:
    async def scenario(world: World) -> None:
        project = await world.project("search", LimitChange("money", "month", 1000))
        told: list[ReachedThreshold] = []
        watch = AlertWatch(world.store, world.layout, lambda: (50, 80, 100), "one", told.append)
        field = used_field("money", window_at("month", await world.registry.now() * 1000))
        await world.use(f"p:{project.id}", field, 995, project=project.id)
        for _ in range(2):
            await watch.tell_exhausted([("project", project.id)])
        assert [each.percent for each in told] == [50, 80, 100]
        await watch.round()
        other = AlertWatch(world.store, world.layout, lambda: (50, 80, 100), "two", told.append)
        await other.tell_exhausted([("project", project.id)])
        assert [(each.percent, each.used) for each in told[2:]] == [(100, 995)]
        assert "has used up its limit of $0.000001 per month" in told[2].sentence()
        quiet = AlertWatch(world.store, world.layout, lambda: (50,), "three", told.append)
        await quiet.tell_exhausted([("project", project.id)])
        assert len(told) == 3

    play(scenario)
