"""Limits over every store: Valkey and Redis, any kinds × windows × scopes, any order of requests, ends and time.

A stateful property test with support.limit_model as the oracle: what it says fits is admitted, to the token; what it
says does not fit is refused, for a limit that is in the way; and no limit is ever exceeded, in any window.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from support.ledgers import PRICE, make_identity, make_receipt, make_request, open_world, write_identity
from support.limit_model import LimitModel, Request, amount_of, claim, limits_of
from support.valkey import ThrowAwayStore, server_binaries, throw_away_store

from gateway.core.pricing import cost_nano
from gateway.core.records import Identity, Limit
from gateway.ledger.contract import Held, Refused
from gateway.ledger.entries import Release, Settle

KEYS = (("key_1", "proj_1"), ("key_2", "proj_1"), ("key_3", "proj_2"))
SIZES = {"money": 300_000, "tokens": 1_000, "requests": 4, "neurons": 30}
WINDOWS = ("minute", "hour", "day", "week", "month", "total")
LEAST = 50

counted = st.builds(
    lambda kind, window, share: Limit(kind, SIZES[kind] * share // 2, window),
    st.sampled_from(sorted(SIZES)), st.sampled_from(WINDOWS), st.integers(1, 6),
)  # fmt: skip
at_once = st.integers(1, 3).map(lambda number: Limit("concurrency", number, "now"))
scope_limits = st.lists(counted | at_once, max_size=3, unique_by=lambda limit: (limit.kind, limit.window)).map(tuple)


class LimitMachine(RuleBasedStateMachine):
    """`url` is set by the test."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.opened = open_world(self.url)
        self.world = self.wait(self.opened.__aenter__())
        self.model = LimitModel()
        self.identities: dict[str, Identity] = {}
        self.admitted = 0
        self.entries = 0

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:  # whatever the work answers
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.wait(self.opened.__aexit__(None, None, None))
        self.loop.close()

    @initialize(organization=scope_limits, projects=st.tuples(scope_limits, scope_limits), data=st.data())
    def set_limits(self, organization: tuple[Limit, ...], projects: Any, data: st.DataObject) -> None:
        by_project = dict(zip(("proj_1", "proj_2"), projects, strict=True))
        for key, project in KEYS:
            made = make_identity(key=key, project=project, limits=data.draw(scope_limits))
            identity = replace(
                made,
                organization=replace(made.organization, limits=organization),
                project=replace(made.project, limits=by_project[project]),
            )
            self.identities[key] = identity
            self.wait(write_identity(self.world.store, self.world.layout, identity))

    def running(self) -> list[str]:
        return [name for name, request in self.model.requests.items() if request.is_running]

    @rule(
        key=st.sampled_from([key for key, _ in KEYS]),
        prompt=st.sampled_from([0, 40, 300]),
        output=st.sampled_from([20, 120, 400]),
        choices=st.sampled_from([1, 1, 2]),
    )
    def ask(self, key: str, prompt: int, output: int, choices: int) -> None:
        self.hold(f"r{len(self.model.requests)}-{self.world.clock.ms}", self.identities[key], (prompt, output, choices))

    @precondition(lambda self: self.running())
    @rule(data=st.data(), prompt=st.sampled_from([40, 300]), output=st.sampled_from([20, 400]))
    def restate(self, data: st.DataObject, prompt: int, output: int) -> None:
        name = data.draw(st.sampled_from(self.running()))
        self.hold(name, self.model.requests[name].identity, (prompt, output, 1))

    def hold(self, name: str, identity: Identity, asked: tuple[int, int, int]) -> None:
        prompt, output, choices = asked
        world, known, now = self.world, self.model.requests.get(name), self.world.clock.ms
        request = make_request(identity, name, prompt=prompt, output=output, choices=choices)
        request.min_tokens = LEAST
        outcome = self.wait(world.holds.take(request, None if known is None else known.created_ms))
        least = min(LEAST, output)

        def fits(granted: int) -> bool:
            return self.model.fits(name, identity, claim(prompt, granted, choices), now)

        if isinstance(outcome, Refused):
            in_the_way = self.model.obstacles(name, identity, claim(prompt, least, choices), now)
            named = [(scope, limit.kind, limit.window, amount_of(limit)) for scope, limit in in_the_way]
            assert (outcome.scope, outcome.kind, outcome.window, outcome.limit) in named
            return
        assert isinstance(outcome, Held)
        assert fits(outcome.max_tokens)
        assert outcome.max_tokens == output or (outcome.max_tokens >= least and not fits(outcome.max_tokens + 1))
        created = now if known is None else known.created_ms
        assert outcome.created_ms == created
        self.model.requests[name] = Request(identity, created, now, claim(prompt, outcome.max_tokens, choices))
        for scope, limit in limits_of(identity):
            assert self.model.counted(scope, limit, identity, created, now) <= amount_of(limit)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), share=st.integers(0, 4))
    def settle(self, data: st.DataObject, share: int) -> None:
        name = data.draw(st.sampled_from(self.running()))
        request = self.model.requests[name]
        tokens = request.amounts["tokens"] * share // 4
        neurons = request.amounts["neurons"] * share // 4
        asked = make_request(request.identity, name)
        receipt = make_receipt(asked, request.created_ms, prompt=0, completion=tokens)
        receipt.neurons_nano = neurons
        receipt.cost_nano = min(cost_nano(PRICE, 0, tokens), request.amounts["money"])
        self.append(Settle(receipt))
        used = {"money": receipt.cost_nano, "tokens": tokens, "requests": 1, "neurons": neurons, "concurrency": 0}
        request.amounts, request.is_running = used, False

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.running()))
        request = self.model.requests[name]
        self.append(Release(name, request.created_ms, request.identity.project.id, request.identity.key.id))
        request.amounts, request.is_running = dict.fromkeys(request.amounts, 0), False

    def append(self, entry: Settle | Release) -> None:
        self.entries += 1
        assert self.wait(self.world.settle(self.entries, entry)) == ["OK", self.entries]

    @rule(seconds=st.sampled_from([1, 7, 61, 1_500, 3_700, 86_400, 8 * 86_400]))
    def pass_time(self, seconds: int) -> None:
        self.world.clock.ms += seconds * 1000


def binaries() -> list[str]:
    """Every server here, each kind once."""
    found: dict[str, str] = {}
    for binary in server_binaries():
        found.setdefault(Path(binary).name, binary)
    return list(found.values())


@pytest.fixture(scope="module", params=binaries(), ids=lambda binary: Path(binary).name)
def server(request: pytest.FixtureRequest) -> Iterator[ThrowAwayStore]:
    with throw_away_store(request.param) as found:
        yield found


def test_limits_of_any_kind_window_and_scope_are_kept(server: ThrowAwayStore) -> None:
    LimitMachine.url = server.url
    run_state_machine_as_test(
        LimitMachine,
        settings=settings(
            max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
