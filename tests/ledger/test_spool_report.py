"""Reports over real spools."""

from pathlib import Path

from gateway.ledger.spool import create_spool
from gateway.ledger.spool_report import describe_spools, is_spool


def test_describe_spools_tells_owner_entries_and_what_waits(tmp_path: Path) -> None:
    spool = create_spool(tmp_path, segment_bytes=4096)
    for number in range(5):
        spool.append(bytes([number]) * 10)
    spool.confirm(3)
    (report,) = describe_spools(tmp_path)
    assert (report.name, report.is_owned, report.entries, report.last, report.waiting) == (spool.name, True, 5, 5, 2)
    spool.close()
    assert describe_spools(tmp_path / spool.name)[0].is_owned is False


def test_describe_spools_nothing_there_is_empty(tmp_path: Path) -> None:
    assert describe_spools(tmp_path) == []
    assert not is_spool(tmp_path / "missing")
