"""The spool on a real disk: append, roll over, confirm, adopt, trim, run out of space."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.core.errors import StoreAway
from gateway.ledger.frames import HEAD_BYTES
from gateway.ledger.spool import adopt_spools, create_spool, sync_file

BODY = b"x" * 84  # a frame of 100 bytes
SEGMENT = 1000


def test_append_many_rolls_over_and_reads_back(tmp_path: Path) -> None:
    spool = create_spool(tmp_path, segment_bytes=SEGMENT)
    assert [spool.append(b"%d" % number) for number in range(1, 201)] == list(range(1, 201))
    assert (spool.first, spool.last) == (1, 200)
    assert list(spool.read(150)) == [(number, b"%d" % number) for number in range(150, 201)]
    assert len(list(spool.path.glob("*.seg"))) > 3
    spool.close()


def test_append_larger_than_a_segment_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    spool = create_spool(tmp_path, segment_bytes=SEGMENT)
    spool.append(BODY)
    with pytest.raises(StoreAway):
        spool.append(bytes(SEGMENT))
    assert spool.append(BODY) == 2
    assert [number for number, _ in spool.read(1)] == [1, 2]
    spool.close()


def test_room_bytes_counts_the_spare_segment(tmp_path: Path) -> None:
    spool = create_spool(tmp_path, segment_bytes=SEGMENT)
    spool.prepare()
    assert spool.room_bytes == 2 * SEGMENT
    spool.append(BODY)
    assert spool.room_bytes == 2 * SEGMENT - len(BODY) - HEAD_BYTES
    spool.close()


def test_adopt_living_owner_keeps_its_spool(tmp_path: Path) -> None:
    spool = create_spool(tmp_path)
    spool.append(BODY)
    assert adopt_spools(tmp_path) == []
    spool.close()
    (adopted,) = adopt_spools(tmp_path)
    assert (adopted.name, adopted.first, adopted.last, adopted.confirmed) == (spool.name, 1, 1, 0)
    assert adopt_spools(tmp_path) == []
    adopted.remove()
    assert adopt_spools(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", range(0, 250, 7))
def test_adopt_torn_file_reads_the_whole_entries(tmp_path: Path, cut: int) -> None:
    spool = create_spool(tmp_path, segment_bytes=SEGMENT)
    for _ in range(2):
        spool.append(BODY)
    spool.close()
    (segment,) = spool.path.glob("*.seg")
    with segment.open("r+b") as file:
        file.truncate(cut)
    (adopted,) = adopt_spools(tmp_path)
    assert [number for number, _ in adopted.read(1)] == [1, 2][: cut // 100]
    assert adopted.last == cut // 100
    adopted.close()


def test_adopt_remembers_what_was_confirmed(tmp_path: Path) -> None:
    spool = create_spool(tmp_path)
    for _ in range(3):
        spool.append(BODY)
    spool.confirm(2)
    spool.close()
    (adopted,) = adopt_spools(tmp_path)
    assert adopted.confirmed == 2
    assert not adopted.is_finished(now=10**12)
    adopted.confirm(3)
    assert not adopted.is_finished(now=0.0)  # kept, in case the store goes back in time
    assert adopted.is_finished(now=10**12)
    adopted.close()


def test_adopt_empty_or_foreign_directories_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("not a spool")
    (tmp_path / ".half-made").mkdir()
    assert adopt_spools(tmp_path) == []
    assert adopt_spools(tmp_path / "missing") == []


def test_trim_keeps_what_is_young_or_unconfirmed(tmp_path: Path) -> None:
    now = 1000.0
    spool = create_spool(tmp_path, lambda: now, SEGMENT)
    for _ in range(25):
        spool.append(BODY)
    spool.confirm(12)
    spool.trim(now + 60)
    assert spool.first == 1
    spool.trim(now + 200)
    assert spool.first == 11
    spool.confirm(25)
    spool.trim(now + 200)
    assert (spool.first, spool.last) == (21, 25)
    spool.close()


def test_sync_in_another_thread_has_its_own_descriptor(tmp_path: Path) -> None:
    spool = create_spool(tmp_path)
    assert spool.unsynced_file() is None
    spool.append(BODY)
    file = spool.unsynced_file()
    assert file is not None
    sync_file(file)
    spool.append(BODY)
    spool.sync()
    assert spool.unsynced_file() is None
    spool.close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from gateway.core.errors import StoreAway
from gateway.ledger.spool import create_spool
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = create_spool(Path(sys.argv[1]), segment_bytes=4096)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
count = 0
try:
    while True:
        spool.append(b"x" * 500)
        count += 1
except StoreAway:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.prepare()
assert spool.append(b"again") == count + 1
assert len(list(spool.read(1))) == count + 1
print(count)
"""


def test_append_without_disk_space_refuses_and_recovers(tmp_path: Path) -> None:
    """A file size limit stands for a full disk: the kernel refuses both to reserve and to write."""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0"
