"""The whole protocol as a state machine: any order of hold, restate, renew, settle, release, expire, late, repeated and
skipped entries, stores gone back in time. A model in memory says what must be held; rows, roll-ups and counters of
the real store must agree with each other and with it, after every step.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from support.ledgers import PRICE, assert_books_agree, make_receipt, make_request, open_world, read_books
from support.valkey import ThrowAwayStore

from gateway.core.errors import StoreAway
from gateway.core.pricing import worst_cost
from gateway.core.records import Limit
from gateway.ledger.contract import Held, Refused
from gateway.ledger.entries import Entry, Release, Settle
from gateway.ledger.holds import LATE_MS
from gateway.ledger.leases import LiveHold

NAMES = [f"r{number}" for number in range(9)]
BUDGET = 8 * worst_cost(PRICE, 100, 200)
TOKENS, REQUESTS, AT_ONCE = 2500, 6, 4
LIMITS = (
    Limit("tokens", TOKENS, "minute"),
    Limit("requests", REQUESTS, "minute"),
    Limit("concurrency", AT_ONCE, "now"),
)
names = st.sampled_from(NAMES)


class LedgerMachine(RuleBasedStateMachine):
    """`url` is set by the test. Model: what is held, which rows stand with what cost, what was written to the spool."""

    url = ""
    limits: tuple[Limit, ...] = ()  # of the key: none, or LIMITS

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.opened = open_world(self.url, BUDGET, self.limits)
        self.world = self.wait(self.opened.__aenter__())
        self.held: dict[str, tuple[int, int, int]] = {}  # name → money held, created ms, lease end ms
        self.over: dict[str, int] = {}  # settled or released: name → when, ms
        self.costs: dict[str, int] = {}  # rows
        self.expired: dict[str, tuple[int, int]] = {}  # name → estimate, created ms
        self.rolling: dict[str, tuple[int, int, int]] = {}  # name → second of its last hold, tokens, requests
        self.spool: list[Entry] = []

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:  # whatever the work answers
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.wait(self.opened.__aexit__(None, None, None))
        self.loop.close()

    @rule(name=names, output=st.sampled_from([20, 60, 200]), prompt=st.sampled_from([0, 100, 900]))
    def hold(self, name: str, output: int, prompt: int) -> None:
        world = self.world
        request = make_request(world.identity, name, prompt=prompt, output=output)
        before = self.held.get(name)
        if world.clock.ms - self.over.get(name, world.clock.ms) > LATE_MS:
            return  # the step itself would find that it comes too late
        try:
            outcome = self.wait(world.holds.take(request, None if before is None else before[1]))
        except StoreAway:
            assert name in self.over or name in self.expired
            return
        assert name not in self.over
        assert name not in self.expired
        spent = sum(self.costs.values()) + sum(money for money, _, _ in self.held.values())
        free = BUDGET - spent + (0 if before is None else before[0])
        room = self.room_for(name)

        def fits(granted: int) -> bool:
            wanted = (worst_cost(PRICE, prompt, granted), prompt + granted, 1, 1)
            return all(want <= left for want, left in zip(wanted, (free, *room), strict=True))

        if isinstance(outcome, Refused):
            assert not fits(min(50, output))
            assert outcome.kind == "money" or self.limits
            return
        assert isinstance(outcome, Held)
        assert fits(outcome.max_tokens)
        assert outcome.max_tokens == output or not fits(outcome.max_tokens + 1)
        self.held[name] = (worst_cost(PRICE, prompt, outcome.max_tokens), outcome.created_ms, world.clock.ms + 30_000)
        self.rolling[name] = (world.clock.ms // 1000, prompt + outcome.max_tokens, 1)
        world.live[name] = LiveHold(request, outcome.created_ms)

    def room_for(self, name: str) -> tuple[int, int, int]:
        """Tokens and requests of the last minute, and places, that are free for a request of this name."""
        if not self.limits:
            return 10**9, 10**9, 10**9
        tokens, requests = self.in_the_last_minute(without=name)
        return TOKENS - tokens, REQUESTS - requests, AT_ONCE - len([other for other in self.held if other != name])

    def in_the_last_minute(self, without: str = "") -> tuple[int, int]:
        oldest = self.world.clock.ms // 1000 - 60
        found = [one for name, one in self.rolling.items() if one[0] >= oldest and name != without]
        return sum(tokens for _, tokens, _ in found), sum(requests for _, _, requests in found)

    @rule()
    def renew(self) -> None:
        self.wait(self.world.leases.renew())
        end = self.world.clock.ms + 30_000
        self.held = {name: (money, at, end) for name, (money, at, _) in self.held.items()}

    @rule(seconds=st.sampled_from([1, 20, 31]))
    def pass_time(self, seconds: int) -> None:
        self.world.clock.ms += seconds * 1000

    @rule()
    def expire(self) -> None:
        self.end_due_holds()

    def end_due_holds(self) -> None:
        self.wait(self.world.leases.expire())
        for name, (money, at, end) in list(self.held.items()):
            if end <= self.world.clock.ms:
                del self.held[name], self.world.live[name]
                self.expired[name] = (money, at)
                self.costs[name] = money

    @rule(data=st.data(), completion=st.integers(0, 40))
    def settle(self, data: st.DataObject, completion: int) -> None:
        name = self.open_name(data)
        if name in self.over:
            return
        world, at = self.world, self.created(name)
        receipt = make_receipt(make_request(world.identity, name), at, prompt=90, completion=completion)
        self.append(Settle(receipt))
        self.costs[name] = receipt.cost_nano
        if name in self.held or name in self.expired:
            self.rolling[name] = (self.rolling[name][0], receipt.prompt_tokens + receipt.completion_tokens, 1)
        self.end(name)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = self.open_name(data)
        if name in self.over:
            return
        at = self.created(name)
        self.append(Release(name, at, "proj_1", "key_1"))
        was_expired = name in self.expired
        if was_expired or name in self.held:
            self.rolling[name] = (self.rolling[name][0], 0, int(was_expired))
        self.end(name)
        if was_expired:
            self.costs[name] = 0
            self.end_due_holds()  # which also writes the corrected row

    @precondition(lambda self: self.spool)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.spool)))
        assert self.wait(self.world.settle(number, self.spool[number - 1])) == ["AGAIN", len(self.spool)]

    @precondition(lambda self: self.spool)
    @rule(data=st.data())
    def settle_twice(self, data: st.DataObject) -> None:
        """The same receipt under a new number, while its tombstone stands."""
        entry = data.draw(st.sampled_from(self.spool[-2:]))
        name = entry.receipt.id if isinstance(entry, Settle) else entry.id
        if self.wait(self.world.store.command("ZSCORE", self.world.layout.shared("tombstones"), name)) is not None:
            self.append(entry)

    @rule(skipped=st.integers(1, 3))
    def skip(self, skipped: int) -> None:
        entry = Release("nobody", self.world.clock.ms, "proj_1", "key_1")
        number = len(self.spool) + 1 + skipped
        assert self.wait(self.world.settle(number, entry)) == ["GAP", len(self.spool)]

    @rule()
    def lose_the_worker(self) -> None:
        self.world.clock.ms += 31_000
        self.end_due_holds()

    def open_name(self, data: st.DataObject) -> str:
        """Mostly a request that holds or has expired, sometimes one the store has never heard of."""
        return data.draw(st.sampled_from([*self.held, *self.expired] * 3 + NAMES))

    def created(self, name: str) -> int:
        if name in self.held:
            return self.held[name][1]
        return self.expired[name][1] if name in self.expired else self.world.clock.ms

    def append(self, entry: Entry) -> None:
        self.spool.append(entry)
        assert self.wait(self.world.settle(len(self.spool), entry)) == ["OK", len(self.spool)]

    def end(self, name: str) -> None:
        self.held.pop(name, None)
        self.world.live.pop(name, None)
        self.expired.pop(name, None)
        self.over[name] = self.world.clock.ms

    @invariant()
    def books_agree_with_each_other_and_the_model(self) -> None:
        books = self.wait(read_books(self.world.store, self.world.layout))
        assert_books_agree(books)
        assert {name: row.cost_nano for name, row in books.rows.items()} == self.costs
        assert books.holds == set(self.held)
        assert books.expired == set(self.expired)
        held = books.held.get("p:proj_1", Counter[str]())
        assert sum(v for k, v in held.items() if k.startswith("money:")) == sum(m for m, _, _ in self.held.values())
        if self.limits:
            oldest = self.world.clock.ms // 1000 - 60
            counted = [
                sum(
                    used + held
                    for slot, used, held in batched_by_three(books.rolling.get("k:key_1", {}).get(f"{kind}:minute", []))
                    if slot >= oldest
                )
                for kind in ("tokens", "requests")
            ]
            assert tuple(counted) == self.in_the_last_minute()
            assert books.held.get("k:key_1", Counter())["concurrency:now"] == len(self.held) <= AT_ONCE


def batched_by_three(flat: list[int]) -> list[tuple[int, int, int]]:
    return list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


@pytest.mark.parametrize("key_limits", [(), LIMITS], ids=["budget", "rates"])
def test_ledger_any_history_agrees_with_the_model(server: ThrowAwayStore, key_limits: tuple[Limit, ...]) -> None:
    class Machine(LedgerMachine):
        url = server.url
        limits = key_limits

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
