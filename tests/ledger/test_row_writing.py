"""Row commands: one per row, one per index and batch."""

import msgspec
from msgspec.structs import replace
from support.ledgers import make_identity, make_receipt, make_request

from gateway.core.receipt import Receipt
from gateway.ledger.row_writing import row_commands
from gateway.store.layout import Layout


def test_row_commands_of_a_batch_share_index_commands() -> None:
    first = make_receipt(make_request(make_identity(), "r1"), 5)
    second = replace(first, id="r2", created_ms=6, api_key_id="key_2")
    commands = row_commands(Layout(), [first, second])
    assert [command[:2] for command in commands[:2]] == [["SET", "gw:row:r1"], ["SET", "gw:row:r2"]]
    assert commands[2:] == [
        ["ZADD", "gw:rows", 5, "r1", 6, "r2"],
        ["ZADD", "gw:rows:p:proj_1", 5, "r1", 6, "r2"],
        ["ZADD", "gw:rows:k:key_1", 5, "r1"],
        ["ZADD", "gw:rows:k:key_2", 6, "r2"],
    ]
    data = commands[0][2]
    assert isinstance(data, bytes)
    assert msgspec.json.decode(data, type=Receipt) == first


def test_row_commands_keep_existing_sets_only_what_is_missing() -> None:
    row = make_receipt(make_request(make_identity(), "r1"), 5)
    assert row_commands(Layout(), [row], keep_existing=True)[0][3:] == ["NX"]
    assert row_commands(Layout(), []) == []
