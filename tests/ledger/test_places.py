"""Key lists in the order the steps declare them, all in one slot."""

import msgspec
from support.ledgers import make_identity

from gateway.ledger import places
from gateway.ledger.places import Places, packed_tags, rollup_name
from gateway.store.layout import Layout

CREATED = 1_760_000_000_000  # 2025-10-09 08:53:20 UTC


def test_settle_keys_name_hour_and_day_of_the_creation() -> None:
    keys = Places(Layout()).settle("P", "K", CREATED)
    assert keys == (
        "gw:{default}:applied", "gw:{default}:holds", "gw:{default}:leases", "gw:{default}:tombstones",
        "gw:{default}:expired", "gw:{default}:expired_at", "gw:{default}:rowless",
        "gw:{default}:spent:o", "gw:{default}:spent:p:P", "gw:{default}:spent:k:K",
        "gw:{default}:use:h:1759996800", "gw:{default}:use:d:1759968000", "gw:{default}:use:p:1759968000",
        "gw:{default}:use:t:1759968000",
    )  # fmt: skip


def test_every_step_stays_in_one_slot() -> None:
    found = Places(Layout())
    for keys in (
        found.hold(make_identity()),
        found.settle("P", "K", CREATED),
        found.expire("P", "K", CREATED),
        found.due(),
    ):
        assert all("{default}" in key for key in keys)
        assert len(set(keys)) == len(keys)


def test_tags_rolled_up_are_those_declared_in_their_order_and_cut_to_a_length() -> None:
    found = Places(Layout(), ("team", "feature"))
    tags = {"feature": "x" * 200, "other": "y", "team": "a=b|c"}
    names = found.declared(tags)
    assert names == ["team", "feature"]
    assert msgspec.msgpack.decode(packed_tags(tags, names)) == ["team=a=b|c", "feature=" + "x" * 100]
    assert found.declared({"other": "y"}) == found.declared({}) == Places(Layout()).declared(tags) == []
    assert packed_tags(tags, []) == b""


def test_settle_keys_asked_for_many_keys_stay_bounded() -> None:
    found = Places(Layout())
    first = found.settle("P", "K", CREATED)
    for number in range(places._REMEMBERED + 5):
        found.settle("P", f"K{number}", CREATED)
    assert found.settle("P", "K", CREATED) == first


def test_rollup_name_is_project_key_model() -> None:
    assert rollup_name("P", "K", "@cf/meta/m") == "P|K|@cf/meta/m"
