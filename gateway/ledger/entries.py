"""What a spool entry says: a receipt to settle, or a hold to give back. Encodes and decodes, nothing else."""

import msgspec

from gateway.core.receipt import Receipt


class Settle(msgspec.Struct, frozen=True, tag="settle", array_like=True):
    """A request that happened."""

    receipt: Receipt


class Release(msgspec.Struct, frozen=True, tag="release", array_like=True):
    """A hold nothing is owed for. `created_ms` is a guess where the hold was never answered."""

    id: str
    created_ms: int
    project_id: str
    api_key_id: str


Entry = Settle | Release

encode_entry = msgspec.msgpack.Encoder().encode
decode_entry = msgspec.msgpack.Decoder(Settle | Release).decode
