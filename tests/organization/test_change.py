"""The compare-then-write step in a real store: all of it or nothing, whatever is guarded."""

import asyncio

from support.admin_gateway import AdminGateway

from gateway.organization.change import Actor, Change
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


def test_change_record_is_written_once_per_version(gateway: AdminGateway) -> None:
    key = gateway.layout.project("p")
    changes = []
    for version, data in ((1, "first"), (1, "second"), (2, "third"), (2, "fourth"), (4, "fifth")):
        change = Change()
        change.record(key, version, data)
        changes.append(change)
    assert apply(gateway, *changes) == [True, False, True, False, False]
    assert gateway.redis.hgetall(key) == {b"v": b"2", b"data": b"third"}


def test_change_failed_guard_writes_nothing_at_all(gateway: AdminGateway) -> None:
    change = Change()
    change.write("HSET", gateway.layout.shared("a"), "x", "1")
    change.audit(gateway.layout.shared("audit"), Actor("admin", "req_1"), "e", "t", {"n": "ö"})
    change.expect(gateway.layout.shared("b"), "x", "there")
    assert apply(gateway, change) == [False]
    assert list(gateway.redis.scan_iter(f"{gateway.layout.prefix}*")) == []


def test_change_guard_compares_text_exactly(gateway: AdminGateway) -> None:
    awkward = '{"n":"ö \\u2028 \\"x\\" \\\\","e":1.0}'
    gateway.redis.hset(gateway.layout.shared("b"), "x", awkward)
    change = Change()
    change.expect(gateway.layout.shared("b"), "x", awkward)
    change.write("HSET", gateway.layout.shared("b"), "y", awkward)
    assert apply(gateway, change) == [True]
    assert gateway.redis.hget(gateway.layout.shared("b"), "y") == awkward.encode()
