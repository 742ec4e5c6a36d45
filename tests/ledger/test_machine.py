"""The whole protocol as a state machine: any order of hold, restate, renew, settle, release, expire, late, repeated and
skipped entries, and of stores that go back in time and are replayed. A model in memory says what must be held; rows,
roll-ups and counters of the real store must agree with each other and with it, after every step.
"""

import asyncio
import copy
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from support.ledgers import PRICE, assert_books_agree, make_receipt, make_request, open_world, read_books
from support.valkey import ThrowAwayStore

from gateway.core.errors import StoreAway
from gateway.core.pricing import worst_cost
from gateway.core.receipt import Receipt
from gateway.core.records import Limit
from gateway.ledger.contract import Held, HoldRequest, Refused
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


@dataclass
class Model:
    """What must be in the store."""

    held: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # name → money held, created ms, lease end ms
    over: dict[str, int] = field(default_factory=dict)  # settled or released: name → when, ms
    costs: dict[str, int] = field(default_factory=dict)  # rows
    expired: dict[str, tuple[int, int]] = field(default_factory=dict)  # name → estimate, created ms
    rolling: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # name → second of its last hold, tokens, …

    def settle(self, name: str, receipt: Receipt, now_ms: int) -> None:
        self.costs[name] = receipt.cost_nano
        if name in self.held or name in self.expired:
            self.rolling[name] = (self.rolling[name][0], receipt.prompt_tokens + receipt.completion_tokens, 1)
        self.end(name, now_ms)

    def release(self, name: str, now_ms: int) -> None:
        was_expired = name in self.expired
        if was_expired or name in self.held:
            self.rolling[name] = (self.rolling[name][0], 0, int(was_expired))
        if was_expired:
            self.costs[name] = 0
        self.end(name, now_ms)

    def end(self, name: str, now_ms: int) -> None:
        self.held.pop(name, None)
        self.expired.pop(name, None)
        self.over[name] = now_ms


@dataclass(frozen=True)
class Past:
    """The store as it was, and what was true then."""

    keys: dict[bytes, bytes]
    model: Model
    applied: int


class LedgerMachine(RuleBasedStateMachine):
    """`url` is set by the test. Model: what is held, which rows stand with what cost, what was written to the spool."""

    url = ""
    limits: tuple[Limit, ...] = ()  # of the key: none, or LIMITS

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.opened = open_world(self.url, BUDGET, self.limits)
        self.world = self.wait(self.opened.__aenter__())
        self.model = Model()
        self.past: Past | None = None
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
        before = self.model.held.get(name)
        if world.clock.ms - self.model.over.get(name, world.clock.ms) > LATE_MS:
            return  # the step itself would find that it comes too late
        try:
            outcome = self.wait(world.holds.take(request, None if before is None else before[1]))
        except StoreAway:
            assert name in self.model.over or name in self.model.expired
            return
        assert name not in self.model.over
        assert name not in self.model.expired
        granted = self.grant(request)
        if isinstance(outcome, Refused):
            assert granted is None
            assert outcome.kind == "money" or self.limits
            return
        assert isinstance(outcome, Held)
        assert outcome.max_tokens == granted
        self.take(request, granted, outcome.created_ms)
        world.live[name] = LiveHold(request, outcome.created_ms)

    def grant(self, request: HoldRequest) -> int | None:
        """The most output tokens that fit, None where the least do not."""
        held, before = self.model.held, self.model.held.get(request.id)
        spent = sum(self.model.costs.values()) + sum(money for money, _, _ in held.values())
        left = (BUDGET - spent + (0 if before is None else before[0]), *self.room_for(request.id))
        prompt = request.prompt_tokens

        def fits(granted: int) -> bool:
            wanted = (worst_cost(PRICE, prompt, granted), prompt + granted, 1, 1)
            return all(want <= have for want, have in zip(wanted, left, strict=True))

        least = min(request.min_tokens, request.max_tokens)
        return next((granted for granted in range(request.max_tokens, least - 1, -1) if fits(granted)), None)

    def take(self, request: HoldRequest, granted: int, created_ms: int) -> None:
        now_ms, prompt = self.world.clock.ms, request.prompt_tokens
        self.model.held[request.id] = (worst_cost(PRICE, prompt, granted), created_ms, now_ms + 30_000)
        self.model.rolling[request.id] = (now_ms // 1000, prompt + granted, 1)

    def room_for(self, name: str) -> tuple[int, int, int]:
        """Tokens and requests of the last minute, and places, that are free for a request of this name."""
        if not self.limits:
            return 10**9, 10**9, 10**9
        tokens, requests = self.in_the_last_minute(without=name)
        return (
            TOKENS - tokens,
            REQUESTS - requests,
            AT_ONCE - len([other for other in self.model.held if other != name]),
        )

    def in_the_last_minute(self, without: str = "") -> tuple[int, int]:
        oldest = self.world.clock.ms // 1000 - 60
        found = [one for name, one in self.model.rolling.items() if one[0] >= oldest and name != without]
        return sum(tokens for _, tokens, _ in found), sum(requests for _, _, requests in found)

    @rule()
    def renew(self) -> None:
        self.wait(self.world.leases.renew())
        end = self.world.clock.ms + 30_000
        self.model.held = {name: (money, at, end) for name, (money, at, _) in self.model.held.items()}

    @rule(seconds=st.sampled_from([1, 20, 31]))
    def pass_time(self, seconds: int) -> None:
        self.world.clock.ms += seconds * 1000

    @rule()
    def expire(self) -> None:
        self.end_due_holds()

    def end_due_holds(self) -> None:
        self.wait(self.world.leases.expire())
        for name, (money, at, end) in list(self.model.held.items()):
            if end <= self.world.clock.ms:
                del self.model.held[name]
                self.world.live.pop(name, None)
                self.model.expired[name] = (money, at)
                self.model.costs[name] = money

    @rule(data=st.data(), completion=st.integers(0, 40))
    def settle(self, data: st.DataObject, completion: int) -> None:
        name = self.open_name(data)
        if name in self.model.over:
            return
        world, at = self.world, self.created(name)
        receipt = make_receipt(make_request(world.identity, name), at, prompt=90, completion=completion)
        self.append(Settle(receipt))
        self.model.settle(name, receipt, world.clock.ms)
        world.live.pop(name, None)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = self.open_name(data)
        if name in self.model.over:
            return
        at = self.created(name)
        self.append(Release(name, at, "proj_1", "key_1"))
        self.model.release(name, self.world.clock.ms)
        self.world.live.pop(name, None)
        self.end_due_holds()  # which also writes the row of one that had expired

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
    def back_up_the_store(self) -> None:
        store = self.world.store
        names = self.wait(store.command("KEYS", self.world.layout.prefix + "*"))
        dumps = self.wait(store.pipeline([("DUMP", name) for name in names]))
        self.past = Past(dict(zip(names, dumps, strict=True)), copy.deepcopy(self.model), len(self.spool))

    @precondition(lambda self: self.past is not None)
    @rule()
    def restore_the_store(self) -> None:
        """As it was; then its worker replays its spool from where the store is, and restates what it answers for."""
        assert self.past is not None
        store, past, now_ms = self.world.store, self.past, self.world.clock.ms
        names = self.wait(store.command("KEYS", self.world.layout.prefix + "*"))
        self.wait(store.pipeline([("DEL", *names), *(("RESTORE", name, 0, data) for name, data in past.keys.items())]))
        self.model = copy.deepcopy(past.model)
        for number, entry in enumerate(self.spool[past.applied :], past.applied + 1):
            assert self.wait(self.world.settle(number, entry)) == ["OK", number]
            if isinstance(entry, Release):
                self.model.release(entry.id, now_ms)
            elif entry.receipt.id not in self.model.over:
                self.model.settle(entry.receipt.id, entry.receipt, now_ms)
        self.wait(self.world.leases.renew())
        for name, live in self.world.live.items():
            if name in self.model.held:
                self.model.held[name] = (*self.model.held[name][:2], now_ms + 30_000)
            elif (granted := self.grant(live.request)) is not None:
                self.take(live.request, granted, live.created_ms)
        self.end_due_holds()

    @rule()
    def lose_the_worker(self) -> None:
        self.world.clock.ms += 31_000
        self.end_due_holds()

    def open_name(self, data: st.DataObject) -> str:
        """Mostly a request that holds or has expired, sometimes one the store has never heard of."""
        return data.draw(st.sampled_from([*self.model.held, *self.model.expired] * 3 + NAMES))

    def created(self, name: str) -> int:
        if name in self.model.held:
            return self.model.held[name][1]
        return self.model.expired[name][1] if name in self.model.expired else self.world.clock.ms

    def append(self, entry: Entry) -> None:
        self.spool.append(entry)
        assert self.wait(self.world.settle(len(self.spool), entry)) == ["OK", len(self.spool)]

    @invariant()
    def books_agree_with_each_other_and_the_model(self) -> None:
        books = self.wait(read_books(self.world.store, self.world.layout))
        assert_books_agree(books)
        assert {name: row.cost_nano for name, row in books.rows.items()} == self.model.costs
        assert books.holds == set(self.model.held)
        assert books.expired == set(self.model.expired)
        held = books.held.get("p:proj_1", Counter[str]())
        assert sum(v for k, v in held.items() if k.startswith("money:")) == sum(
            m for m, _, _ in self.model.held.values()
        )
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
            assert books.held.get("k:key_1", Counter())["concurrency:now"] == len(self.model.held) <= AT_ONCE


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
