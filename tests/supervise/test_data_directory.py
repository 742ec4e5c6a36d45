"""The data directory: made, locked, refused, and its secrets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.supervise.data_directory import DataDirectory, read_secret, write_secret
from gateway.supervise.errors import CannotStart


def test_open_makes_a_private_directory_and_locks_it(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "a" / "b")
    data.open()
    assert {each.stat().st_mode & 0o777 for each in (data.path, data.path.parent)} == {0o700}
    assert (data.path / "gateway.pid").read_text() == f"{os.getpid()}\n"
    with pytest.raises(CannotStart, match=f"pid {os.getpid()}"):
        DataDirectory(data.path).open()
    data.close()
    again = DataDirectory(data.path)
    again.open()
    assert not again.was_left_in_a_hurry
    again.close()
    again.close()


def test_open_after_a_kill_tells_it(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from gateway.supervise.data_directory import DataDirectory\n"
        "DataDirectory(Path(sys.argv[1])).open(); os._exit(9)"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program, tmp_path], env=environ, check=False)
    data = DataDirectory(tmp_path)
    data.open()
    assert data.was_left_in_a_hurry
    data.close()


def test_open_where_nothing_can_be_written_names_path_and_user(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(CannotStart, match=r"data_dir .*/file/data is not writable for the user \w+") as caught:
        DataDirectory(blocked / "data").open()
    assert caught.value.exit_status == 2


def test_admin_key_is_made_once_and_private(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    key = data.admin_key()
    assert key.startswith("sk-admin-")
    assert len(key) > 50
    assert data.admin_key() == key
    assert data.admin_key_file.stat().st_mode & 0o777 == 0o600


def test_forget_store_lets_the_next_one_be_bound(tmp_path: Path) -> None:
    (tmp_path / "store-instance").write_text("0123\n")
    data = DataDirectory(tmp_path)
    data.forget_store()
    data.forget_store()
    assert not (tmp_path / "store-instance").exists()


def test_write_secret_replaces_whole_and_keeps_private(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_secret(file, "new")
    assert read_secret(file) == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    write_secret(file, "")
    assert file.exists()
    assert read_secret(file) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_read_secret_without_a_file_is_nothing(tmp_path: Path) -> None:
    assert read_secret(tmp_path / "none") == ""
