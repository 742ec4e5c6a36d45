"""The continuous check: one worker at a time, going on where the last one stopped."""

import asyncio

from support.ledgers import make_receipt, make_request, open_world
from support.valkey import ThrowAwayStore

from gateway.ledger.audit.auditor import Auditor, Standing, read_standing
from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.verification import COUNTERS, Portion, Verifier
from gateway.ledger.entries import Settle


def test_standing_findings_are_drift_until_a_pass_without_any() -> None:
    finding = Finding("rows", "k", "n", (1,), (0,))
    first = Standing().after(Portion(cursor=COUNTERS, until=100, findings=[finding]))
    assert (first.drift, first.verified_at, first.cursor, first.found) == (1, 0, COUNTERS, 1)
    done = first.after(Portion(until=110))
    assert (done.drift, done.verified_at, done.finished_at, done.cursor, done.found) == (1, 0, 110, "", 0)
    clean = done.after(Portion(until=120))
    assert (clean.drift, clean.verified_at, clean.finished_at) == (0, 120, 120)


def test_round_one_worker_at_a_time_passes_through_all(server: ThrowAwayStore) -> None:
    async def play() -> None:
        async with open_world(server.url) as world:
            seconds, _ = await world.store.command("TIME")
            created = int(seconds) * 1000
            await world.settle(1, Settle(make_receipt(make_request(world.identity, "r1"), created)), oldest=True)
            reports: list[Standing] = []
            verifier = Verifier(world.store, world.layout, int, (0.0,))
            one, two = (Auditor(world.store, world.layout, verifier, name, reports.append) for name in ("one", "two"))
            assert [await one.round(), await two.round(), await one.round()] == [True, False, True]
            assert [each.cursor for each in reports] == [COUNTERS, COUNTERS, ""]
            assert reports[-1].verified_at >= int(seconds)
            await world.store.command("HINCRBY", world.layout.spent("o"), "u:money:total", 1)
            await world.store.command("DEL", world.layout.shared("verification_lease"))
            assert [await two.round(), await one.round(), await two.round()] == [True, False, True]
            standing = await read_standing(world.store, world.layout)
            assert (standing.drift, standing.found, standing.verified_at) == (1, 0, reports[2].verified_at)

    asyncio.run(play())
