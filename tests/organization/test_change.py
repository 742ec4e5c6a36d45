"""The compare-then-write step in a real store: all of it or nothing, whatever is guarded."""

import asyncio

import pytest
from support.admin_gateway import AdminGateway, fill_stream

from gateway.organization.change import MOST_ACTS, Actor, Change
from gateway.store.redis_store import RedisStore


def apply(gateway: AdminGateway, *changes: Change) -> list[bool]:
    """Apply changes one after the other."""

    async def run() -> list[bool]:
        store = RedisStore(gateway.store_url, gateway.layout)
        try:
            return [await change.apply(store) for change in changes]
        finally:
            await store.close()

    return asyncio.run(run())


def a_change(gateway: AdminGateway, event: str = "e") -> Change:
    change = Change()
    change.audit(gateway.layout.shared("audit"), Actor("admin", "req_1"), event, "t", {"n": "ö"})
    return change


def test_change_record_is_written_once_per_version(gateway: AdminGateway) -> None:
    key = gateway.layout.project("p")
    changes = []
    for version, data in ((1, "first"), (1, "second"), (2, "third"), (2, "fourth"), (4, "fifth")):
        change = a_change(gateway, data)
        change.record(key, version, data)
        changes.append(change)
    assert apply(gateway, *changes) == [True, False, True, False, False]
    assert gateway.redis.hgetall(key) == {b"v": b"2", b"data": b"third"}
    acts = [fields for _, fields in gateway.redis.xrange(gateway.layout.shared("audit"))]
    assert [(act[b"event"], act[b"before"], act[b"after"]) for act in acts] == [
        (b"first", b"", b"first"),
        (b"third", b"first", b"third"),
    ]


def test_change_failed_guard_writes_nothing_at_all(gateway: AdminGateway) -> None:
    change = a_change(gateway)
    change.write("HSET", gateway.layout.shared("a"), "x", "1")
    change.expect(gateway.layout.shared("b"), "x", "there")
    assert apply(gateway, change) == [False]
    assert list(gateway.redis.scan_iter(f"{gateway.layout.prefix}*")) == []


def test_change_guard_compares_text_exactly(gateway: AdminGateway) -> None:
    awkward = '{"n":"ö \\u2028 \\"x\\" \\\\","e":1.0}'
    gateway.redis.hset(gateway.layout.shared("b"), "x", awkward)
    change = a_change(gateway)
    change.expect(gateway.layout.shared("b"), "x", awkward)
    change.write("HSET", gateway.layout.shared("b"), "y", awkward)
    assert apply(gateway, change) == [True]
    assert gateway.redis.hget(gateway.layout.shared("b"), "y") == awkward.encode()


def test_change_nobody_answers_for_cannot_be_applied(gateway: AdminGateway) -> None:
    change = Change()
    change.record(gateway.layout.project("p"), 1, "{}")
    with pytest.raises(AssertionError, match="nobody answers for"):
        apply(gateway, change)
    assert gateway.redis.exists(gateway.layout.project("p")) == 0


def test_change_of_many_records_shows_a_bounded_number(gateway: AdminGateway) -> None:
    change = a_change(gateway)
    for number in range(30):
        change.record(gateway.layout.project(f"p{number}"), 1, "{}")
    assert apply(gateway, change) == [True]
    count = "local e = redis.call('XRANGE', KEYS[1], '-', '+')[1][2] return #e"
    assert gateway.redis.eval(count, 1, gateway.layout.shared("audit")) == 2 * (5 + 2 * 20)


def test_change_stream_keeps_the_latest_acts(gateway: AdminGateway) -> None:
    stream = gateway.layout.shared("audit")
    fill_stream(gateway, "audit", MOST_ACTS)
    first = gateway.redis.xrange(stream, count=1)[0][0]
    assert apply(gateway, a_change(gateway, "new")) == [True]
    assert gateway.redis.xlen(stream) == MOST_ACTS
    assert gateway.redis.xrange(stream, count=1)[0][0] != first
    assert gateway.redis.xrevrange(stream, count=1)[0][1][b"event"] == b"new"
