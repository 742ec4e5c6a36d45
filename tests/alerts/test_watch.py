"""The watch over budgets on a real store: what is used is noticed, and raised once among all replicas and per limit."""

import json
import logging

import pytest
from support.budgets import ACTOR, Play, World

from gateway.alerts.owners import spend_alerts_key
from gateway.alerts.queue import AlertQueue
from gateway.alerts.watch import AlertWatch
from gateway.core.alerts import ReachedThreshold
from gateway.core.limits import used_field, window_at
from gateway.organization.limit_changes import LimitChange
from gateway.organization.record_changes import KeyChange

MONTH = LimitChange("money", "month", 1000)


class Watcher:
    """A replica's watch, and what it reported."""

    def __init__(self, world: World, name: str = "one") -> None:
        self.reported: list[ReachedThreshold] = []
        self.watch = AlertWatch(world.store, world.layout, lambda: (50, 80, 100), name, self.reported.append)

    async def told(self) -> list[tuple[str, str, int | None]]:
        """What is new in a round."""
        self.reported.clear()
        await self.watch.round()
        return [(each.scope, each.name, each.percent) for each in self.reported]


async def month_field(world: World) -> str:
    return used_field("money", window_at("month", await world.registry.now() * 1000))


def test_watch_raises_each_threshold_once_and_in_order(play: Play) -> None:
    async def scenario(world: World) -> None:
        project = await world.project("search", MONTH)
        field = await month_field(world)
        watcher = Watcher(world)
        assert await watcher.told() == []
        await world.use(f"p:{project.id}", field, 499, project=project.id)
        assert await watcher.told() == []
        await world.use(f"p:{project.id}", field, 1, project=project.id)
        assert await watcher.told() == [("project", "search", 50)]
        assert await watcher.told() == []
        await world.use(f"p:{project.id}", field, 600, project=project.id)
        assert await watcher.told() == [("project", "search", 80), ("project", "search", 100)]
        history = await AlertQueue(world.store, world.layout).history(10)
        assert [each.event.data.percent for each in history if each.event.data] == [100, 80, 50]

    play(scenario)


def test_watch_of_another_replica_takes_over_and_tells_nothing_twice(play: Play) -> None:
    async def scenario(world: World) -> None:
        project = await world.project("search", MONTH)
        field = await month_field(world)
        first, second = Watcher(world, "one"), Watcher(world, "two")
        await world.use(f"p:{project.id}", field, 900, project=project.id)
        assert len(await first.told()) == 2
        assert await second.told() == []
        assert (first.watch.is_mine, second.watch.is_mine) == (True, False)
        await world.store.command("DEL", world.layout.shared("alerts_lease"))  # the first one died
        assert await second.told() == []
        await world.use(f"p:{project.id}", field, 100, project=project.id)
        assert await first.told() == []
        assert await second.told() == [("project", "search", 100)]
        assert (first.watch.is_mine, second.watch.is_mine) == (False, True)

    play(scenario)


def test_watch_two_at_once_raise_it_once(play: Play) -> None:
    """The lease may run out under a slow worker: the claim decides."""

    async def scenario(world: World) -> None:
        project = await world.project("search", MONTH)
        await world.use(f"p:{project.id}", await month_field(world), 1000, project=project.id)
        told = []
        for name in ("one", "two", "three"):
            await world.store.command("DEL", world.layout.shared("alerts_lease"))
            told.append(len(await Watcher(world, name).told()))
        assert told == [3, 0, 0]

    play(scenario)


def test_watch_every_scope_and_kind(play: Play) -> None:
    async def scenario(world: World) -> None:
        project = await world.project("search", LimitChange("tokens", "day", 100), LimitChange("requests", "hour", 1))
        account = await world.credentials.create_account(project.id, "bot", ACTOR)
        key = await world.credentials.issue_key(project.id, account, KeyChange(limits=(MONTH,)), ACTOR)
        await world.registry.alter_organization_limits([LimitChange("money", "total", 10**10)], ACTOR)
        now_ms = await world.registry.now() * 1000
        money, day = await month_field(world), used_field("tokens", window_at("day", now_ms))
        ids = {"project": project.id, "key": key.key.id}
        await world.use(f"p:{project.id}", day, 85, **ids)
        await world.use(f"k:{key.key.id}", money, 500, **ids)
        await world.use("o", "u:money:total", 6 * 10**9, **ids)
        assert set(await Watcher(world).told()) == {
            ("project", "search", 50),
            ("project", "search", 80),
            ("key", "bot", 50),
            ("organization", "organization", 50),
        }

    play(scenario)


def test_watch_a_raised_limit_is_a_new_one_and_a_lowered_one_is_noticed_without_a_request(play: Play) -> None:
    async def scenario(world: World) -> None:
        project = await world.project("search", MONTH)
        watcher = Watcher(world)
        await world.use(f"p:{project.id}", await month_field(world), 900, project=project.id)
        assert [percent for _, _, percent in await watcher.told()] == [50, 80]
        await world.limit(project, LimitChange("money", "month", 1500))
        assert [percent for _, _, percent in await watcher.told()] == [50]
        await world.limit(project, LimitChange("money", "month", 900))
        assert [percent for _, _, percent in await watcher.told()] == [50, 80, 100]
        await world.limit(project, LimitChange("money", "month", 1000))
        assert await watcher.told() == []  # told before

    play(scenario)


def test_watch_spend_alerts_of_project_and_organization(play: Play) -> None:
    async def scenario(world: World) -> None:
        project = await world.project("search")
        await world.registry.organization()  # makes it
        for owner, amount in ((project.id, 700), (None, 900)):
            alert = {"id": f"alert_{amount}", "created": 1, "threshold_nano": amount, "recipients": ["a@example.org"]}
            await world.store.command(
                "HSET", spend_alerts_key(world.layout, owner), f"alert_{amount}", json.dumps(alert)
            )
        watcher, field = Watcher(world), await month_field(world)
        await world.use(f"p:{project.id}", field, 800, project=project.id)
        await world.use("o", field, 800, project=project.id)
        assert await watcher.told() == [("project", "search", None)]
        (reached,) = watcher.reported
        assert reached.spend_alert is not None
        assert (reached.threshold, reached.spend_alert.recipients) == (700, ("a@example.org",))
        await world.use("o", field, 100, project=project.id)
        assert await watcher.told() == [("organization", "organization", None)]

    play(scenario)


def test_watch_claims_of_windows_that_are_over_are_forgotten(play: Play) -> None:
    async def scenario(world: World) -> None:
        project = await world.project("search", MONTH)
        claims = world.layout.shared("alert_claims")
        await world.store.command("ZADD", claims, 1000, "of 1970")
        await world.use(f"p:{project.id}", await month_field(world), 600, project=project.id)
        await Watcher(world).told()
        (claim,) = await world.store.command("ZRANGE", claims, 0, -1)
        assert project.id in claim.decode()

    play(scenario)


def test_watch_says_it_in_the_log(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(world: World) -> None:
        project = await world.project("search", LimitChange("money", "month", 10**10))
        await world.use(f"p:{project.id}", await month_field(world), 5 * 10**9, project=project.id)
        with caplog.at_level(logging.WARNING):
            await Watcher(world).told()

    play(scenario)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("budget alert: project search (proj_")
    assert "has used 50 % of its limit of $10.00 per month: $5.00" in line
