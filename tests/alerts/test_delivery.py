"""Delivery to a real HTTP receiver: signed, retried with back-off, kept until accepted, given up after a day."""

import json

import openai
from support.budgets import Play, World
from support.clock import Clock
from support.receiver import receiver

from gateway.alerts.delivery import Delivery
from gateway.alerts.queue import TEST, AlertQueue, RaisedEvent, event_text
from gateway.alerts.webhook import post
from gateway.config.settings import AlertSettings

SECRET = "0123456789abcdef0123"


class Sender:
    """A replica's delivery, its clock, and the outcomes it counted."""

    def __init__(self, world: World, url: str, clock: Clock) -> None:
        self.outcomes: list[str] = []
        settings = AlertSettings(webhook_url=url, webhook_secret=SECRET)
        queue = AlertQueue(world.store, world.layout)
        self.delivery = Delivery(queue, lambda: settings, post, lambda: True, self.outcomes.append, clock)

    async def round(self) -> list[str]:
        self.outcomes.clear()
        await self.delivery.round()
        return list(self.outcomes)


async def raise_alerts(world: World, count: int) -> Clock:
    """So many test alerts; a clock that shows their time."""
    for number in range(count):
        event = event_text(RaisedEvent(TEST, number))
        await world.store.command("XADD", world.layout.shared("alerts"), "*", "event", event)
    return Clock(await world.registry.now())


def test_delivery_is_signed_and_made_once(play: Play) -> None:
    async def scenario(world: World) -> None:
        with receiver() as server:
            clock = await raise_alerts(world, 2)
            sender = Sender(world, server.url, clock)
            assert await sender.round() == ["delivered", "delivered"]
            assert await sender.round() == []
            assert await Sender(world, server.url, clock).round() == []  # another worker
            path, headers, body = server.received[0]
            assert path == "/hook?team=a"
            assert headers["content-type"] == "application/json"
            client = openai.OpenAI(api_key="unused", webhook_secret=SECRET)
            client.webhooks.verify_signature(body, headers)
            event = json.loads(body)
            assert (event["object"], event["type"], event["id"]) == ("event", "alert.test", headers["webhook-id"])
            assert len({found["webhook-id"] for _, found, _ in server.received}) == 2

    play(scenario)


def test_delivery_is_tried_again_ever_more_rarely_until_it_is_accepted(play: Play) -> None:
    async def scenario(world: World) -> None:
        with receiver() as server:
            clock = await raise_alerts(world, 1)
            sender = Sender(world, server.url, clock)
            server.statuses = [500, 302, 400]  # a redirect is not followed
            tried_at = []
            started = clock.now
            while not sender.outcomes or "delivered" not in sender.outcomes:
                if await sender.round():
                    tried_at.append(clock.now - started)
                clock.now += 1
            assert tried_at == [0, 2, 6, 14]
            assert len(server.received) == 4
            assert len({headers["webhook-id"] for _, headers, _ in server.received}) == 1

    play(scenario)


def test_delivery_waits_in_the_store_for_the_next_start(play: Play) -> None:
    async def scenario(world: World) -> None:
        clock = await raise_alerts(world, 3)
        with receiver() as server:
            url = server.url
        assert await Sender(world, url, clock).round() == ["failed"] * 3  # nobody listens
        with receiver() as server:
            assert await Sender(world, server.url, clock).round() == ["delivered"] * 3

    play(scenario)


def test_delivery_one_that_is_refused_does_not_stop_the_others_and_is_given_up_after_a_day(play: Play) -> None:
    async def scenario(world: World) -> None:
        with receiver() as server:
            clock = await raise_alerts(world, 2)
            sender = Sender(world, server.url, clock)
            server.statuses = [422]
            assert await sender.round() == ["failed", "delivered"]
            assert len(await AlertQueue(world.store, world.layout).undelivered(10)) == 2
            server.statuses = [422]
            clock.now += 86_402
            assert await sender.round() == ["failed", "dropped"]
            assert await AlertQueue(world.store, world.layout).undelivered(10) == []

    play(scenario)


def test_delivery_without_a_webhook_keeps_no_backlog_for_a_later_one(play: Play) -> None:
    async def scenario(world: World) -> None:
        clock = await raise_alerts(world, 2)
        assert await Sender(world, "", clock).round() == []
        with receiver() as server:
            assert await Sender(world, server.url, clock).round() == []
            assert server.received == []
        assert len(await AlertQueue(world.store, world.layout).history(10)) == 2

    play(scenario)
