"""The file of a backup: what lies in it, how it is told to be whole. Knows no store.

Gzip around records, each a length (u32, little-endian) and msgpack. The first is the header, a map: format, version,
schema of the data, instance, organisation, when it was made and by which gateway, whether it is a demo's. Then come
entries ["entry", kind, name, parts], the parts being bytes: a hash's fields and values, a sorted set's members and
scores, a string, an entry of a stream, a row (a late one was found after the positions of the spools were read). The
last record is the end: ["end", number of entries, SHA-256 of every byte before it]. A file without its end, or with
another checksum, is not a backup.
"""

import gzip
import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

FORMAT = "workers-ai-gateway backup"
VERSION = 1
_LENGTH = struct.Struct("<I")
_LARGEST_RECORD = 256 * 1024 * 1024

Kind = Literal["hash", "zset", "string", "stream", "row", "late row"]

_encode = msgspec.msgpack.Encoder().encode


class BadArchive(Exception):
    """The file is no whole backup, or one this gateway cannot read; the message says why."""


class Header(msgspec.Struct, frozen=True):
    """How a backup begins. `created`: unix seconds by the store's clock; `demo`: it is a demo's data, None: unknown."""

    format: str
    version: int
    schema: int
    instance: str
    organization: str
    created: int
    gateway: str
    demo: bool | None = None


class Entry(msgspec.Struct, frozen=True, array_like=True, tag="entry"):
    """One portion of one key. `name` is without prefix and organisation; a row's is its id."""

    kind: Kind
    name: str
    parts: list[bytes]


class _End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    entries: int
    sha256: str


_decode_header = msgspec.msgpack.Decoder(Header).decode
_decode_record = msgspec.msgpack.Decoder(Entry | _End).decode


class Writer:
    """Appends entries to a file that has begun."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self.entries = 0
        self._file = file
        self._sum = hashlib.sha256()
        self._write(_encode(header))

    def add(self, kind: Kind, name: str, parts: Sequence[bytes]) -> None:
        """One more entry."""
        self._write(_encode(Entry(kind, name, list(parts))))
        self.entries += 1

    def end(self) -> None:
        """The last record; without it the file counts as broken."""
        self._write(_encode(_End(self.entries, self._sum.hexdigest())))

    def _write(self, record: bytes) -> None:
        framed = _LENGTH.pack(len(record)) + record
        self._sum.update(framed)
        self._file.write(framed)


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A gzip file that gets its name when it is complete and on the disk; readable by its owner only."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw) as file:
                yield file  # type: ignore[misc]  # a GzipFile writes like any binary file
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def check_archive(path: Path) -> tuple[Header, int]:
    """The header and number of entries of a whole backup. Raises BadArchive, and OSError where it cannot be read."""
    count = sum(1 for _ in read_entries(path))
    return read_header(path), count


def read_header(path: Path) -> Header:
    """How a backup begins. Raises BadArchive."""
    with gzip.open(path) as file:
        return _header(_read(file))


def read_entries(path: Path) -> Iterator[Entry]:
    """Every entry, in order; the end is checked when it comes. Raises BadArchive."""
    total = hashlib.sha256()
    with gzip.open(path) as file:
        first = _read(file)
        _header(first)
        total.update(_LENGTH.pack(len(first)) + first)
        count = 0
        while True:
            packed = _read(file)
            try:
                record = _decode_record(packed)
            except ValueError as error:  # msgspec's own are, and text that is no UTF-8
                raise BadArchive(f"entry {count + 1} cannot be read: the file is damaged") from error
            if isinstance(record, _End):
                if (record.entries, record.sha256) != (count, total.hexdigest()):
                    raise BadArchive("its checksum does not fit: the file is damaged")
                _read_to_the_end(file)
                return
            total.update(_LENGTH.pack(len(packed)) + packed)
            count += 1
            yield record


def _header(packed: bytes) -> Header:
    try:
        header = _decode_header(packed)
    except ValueError as error:
        raise BadArchive("it is no backup of a gateway") from error
    if header.format != FORMAT:
        raise BadArchive("it is no backup of a gateway")
    if header.version > VERSION:
        raise BadArchive(f"it has format version {header.version}, of a newer gateway; this one knows {VERSION}")
    return header


def _read_to_the_end(file: gzip.GzipFile) -> None:
    """Nothing comes after the end but gzip's own checksum."""
    try:
        rest = file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadArchive(f"it was cut short ({error})") from error
    if rest:
        raise BadArchive("there is something behind its end: the file is damaged")


def _read(file: gzip.GzipFile) -> bytes:
    try:
        head = file.read(_LENGTH.size)
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else -1
        record = file.read(length) if 0 <= length <= _LARGEST_RECORD else b""
    except (OSError, EOFError, zlib.error) as error:
        raise BadArchive(f"it cannot be read: the file is no backup, or was cut short ({error})") from error
    if length < 0 or len(record) != length:
        raise BadArchive("it ends too early: the backup was not finished, or the file was cut short")
    return record
