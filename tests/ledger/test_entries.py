"""Spool entries come back as they went in."""

from support.ledgers import NOW_MS, make_identity, make_receipt, make_request

from gateway.ledger.entries import Entry, Release, Settle, decode_entry, encode_entry


def test_decode_entry_gives_back_either_kind() -> None:
    receipt = make_receipt(make_request(make_identity(), "r1"), NOW_MS)
    entries: list[Entry] = [Settle(receipt), Release("r2", NOW_MS, "proj_1", "key_1")]
    assert [decode_entry(encode_entry(entry)) for entry in entries] == entries
