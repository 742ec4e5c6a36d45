"""Writing rows and their time indexes: plain commands, idempotent by id. Decides only which commands."""

from collections.abc import Sequence

import msgspec

from gateway.core.receipt import Receipt
from gateway.store.contract import Argument
from gateway.store.layout import Layout

_encode = msgspec.json.Encoder().encode


def row_commands(layout: Layout, receipts: Sequence[Receipt], *, keep_existing: bool = False) -> list[list[Argument]]:
    """Commands that write rows; index entries of a batch share one command per index.

    With `keep_existing` a row that is there stays: what is known of an expired hold never replaces its receipt.
    """
    commands: list[list[Argument]] = []
    indexes: dict[str, list[Argument]] = {}
    for receipt in receipts:
        command: list[Argument] = ["SET", layout.row(receipt.id), _encode(receipt)]
        commands.append([*command, "NX"] if keep_existing else command)
        for scope in ("", f"p:{receipt.project_id}", f"k:{receipt.api_key_id}"):
            index = indexes.get(scope)
            if index is None:
                index = indexes[scope] = ["ZADD", layout.rows(scope)]
            index += (receipt.created_ms, receipt.id)
    return commands + list(indexes.values())
