"""A backup's file: whole or refused, by whomever it was cut, changed or written."""

import gzip
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.backup.archive import (
    FORMAT,
    VERSION,
    BadArchive,
    Entry,
    Header,
    Writer,
    check_archive,
    read_entries,
    read_header,
    written_whole,
)

HEADER = Header(FORMAT, VERSION, 1, "0123", "default", 1_760_000_000, "0.1.0")


def write(path: Path, header: Header = HEADER, *, is_ended: bool = True) -> None:
    with written_whole(path) as file:
        writer = Writer(file, header)
        writer.add("hash", "org", [b"v", b"1", b"data", b"\x00\xff"])
        writer.add("row", "req_1", [b"{}"])
        if is_ended:
            writer.end()


def test_archive_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    write(path)
    assert check_archive(path) == (HEADER, 2)
    assert read_header(path) == HEADER
    assert list(read_entries(path)) == [
        Entry("hash", "org", [b"v", b"1", b"data", b"\x00\xff"]),
        Entry("row", "req_1", [b"{}"]),
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["backup"]


def test_archive_that_breaks_off_leaves_no_file_and_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_text("old")

    def break_off() -> None:
        with written_whole(path) as file:
            Writer(file, HEADER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["backup"]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_archive_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "backup"
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadArchive):
        check_archive(path)


def test_archive_without_its_end_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "backup", is_ended=False)
    with pytest.raises(BadArchive, match="ends too early"):
        check_archive(tmp_path / "backup")


def test_archive_with_any_changed_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    write(path)
    plain = gzip.decompress(path.read_bytes())
    for place in range(len(plain)):
        path.write_bytes(gzip.compress(plain[:place] + bytes([plain[place] ^ 1]) + plain[place + 1 :], 1))
        with pytest.raises(BadArchive):
            check_archive(path)


def test_archive_of_a_newer_format_or_of_somebody_else_says_so(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    write(path, replace(HEADER, version=VERSION + 1))
    with pytest.raises(BadArchive, match=f"format version {VERSION + 1}, of a newer gateway"):
        check_archive(path)
    write(path, replace(HEADER, format="something else"))
    with pytest.raises(BadArchive, match="no backup of a gateway"):
        check_archive(path)
    path.write_bytes(b"a text file")
    with pytest.raises(BadArchive, match="no backup"):
        check_archive(path)
