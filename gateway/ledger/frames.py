"""How spool entries lie in a file: pure bytes. Decides where a torn file ends; opens nothing.

A frame is length (u32), CRC-32 (u32) of what follows, entry number (u64), payload; little-endian. Segments are
preallocated with zeros, so a length of zero is the end, and so is anything whose length or checksum does not fit: a
write that was cut short by a crash.
"""

import struct
import zlib
from collections.abc import Iterator

_HEAD = struct.Struct("<IIQ")
_NUMBER = struct.Struct("<Q")
HEAD_BYTES = _HEAD.size


def encode_frame(number: int, payload: bytes) -> bytes:
    """One entry as bytes."""
    checksum = zlib.crc32(payload, zlib.crc32(_NUMBER.pack(number)))
    return _HEAD.pack(len(payload), checksum, number) + payload


def decode_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and payload of every whole entry, up to the end or the first torn one."""
    view = memoryview(data)
    offset = 0
    while offset + HEAD_BYTES <= len(data):
        length, checksum, number = _HEAD.unpack_from(data, offset)
        end = offset + HEAD_BYTES + length
        if length == 0 or end > len(data):
            return
        payload = bytes(view[offset + HEAD_BYTES : end])
        if zlib.crc32(payload, zlib.crc32(_NUMBER.pack(number))) != checksum:
            return
        yield number, payload
        offset = end
