"""scripts/find-python.sh on machines of every kind: made up of small programs on a PATH of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import ROOT

REAL = f'exec {sys.executable} "$@"'
SHIM = 'echo "pyenv: command not found" >&2; exit 127'
OLD = 'case "$2" in *version_info*) exit 1;; esac; exit 0'
BARE = f'case "$2" in *ensurepip*) exit 1;; esac; {REAL}'
UV = f"mkdir -p .venv/bin && ln -sf {sys.executable} .venv/bin/python"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name in ("sh", "mkdir", "ln"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def install(machine: Path, **programs: str) -> None:
    for name, body in programs.items():
        file = machine / "bin" / name.replace("_", ".")
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)


def find(machine: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "find-python.sh")],
        cwd=machine,
        env={"PATH": str(machine / "bin"), "HOME": os.environ.get("HOME", "/"), **environ},
        capture_output=True,
        text=True,
    )


def test_newest_that_runs_is_taken_and_shims_that_fail_are_passed_by(machine: Path) -> None:
    install(machine, python3_14=SHIM, python3_13=OLD, python3_12=REAL, python3_11=REAL, python3=REAL)
    assert find(machine).stdout == "python3.12\n"


def test_plain_python3_is_taken_where_no_version_is_named(machine: Path) -> None:
    install(machine, python3=REAL)
    assert find(machine).stdout == "python3\n"


def test_chosen_python_goes_first(machine: Path) -> None:
    install(machine, python3_14=REAL, mine=REAL)
    assert find(machine, PYTHON="mine").stdout == "mine\n"


@pytest.mark.parametrize("body", [SHIM, OLD])
def test_chosen_python_that_does_not_suit_is_refused_not_replaced(machine: Path, body: str) -> None:
    install(machine, python3_14=REAL, mine=body)
    found = find(machine, PYTHON="mine")
    assert found.returncode == 2
    assert found.stdout == ""
    assert "PYTHON=mine" in found.stderr


def test_python_without_venv_is_passed_by_for_one_with(machine: Path) -> None:
    install(machine, python3_13=BARE, python3_12=REAL)
    assert find(machine).stdout == "python3.12\n"


def test_python_without_venv_alone_is_named_with_the_package(machine: Path) -> None:
    install(machine, python3_13=BARE)
    found = find(machine)
    assert found.returncode == 2
    assert "ensurepip" in found.stderr
    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in found.stderr


def test_uv_helps_where_no_python_suits(machine: Path) -> None:
    install(machine, python3_13=SHIM, uv=UV)
    assert find(machine).stdout == ".venv/bin/python\n"


def test_nothing_at_all_gives_a_sentence(machine: Path) -> None:
    found = find(machine)
    assert found.returncode == 2
    assert found.stdout == ""
    assert "Python 3.11 or newer is needed" in found.stderr
    assert "uv" in found.stderr


def test_whole_environment_is_used_without_a_search(machine: Path) -> None:
    install(machine, python3_14=REAL)
    (machine / ".venv" / "bin").mkdir(parents=True)
    (machine / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (machine / ".venv" / ".ready-run").touch()
    assert find(machine).stdout == ".venv/bin/python\n"
    (machine / ".venv" / ".unfinished").touch()
    assert find(machine).stdout == "python3.14\n"
