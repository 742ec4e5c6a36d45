"""scripts/environment.py in a project of its own: what it takes for whole, for half-made, and for out of date."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support.running import ROOT


@pytest.fixture
def environment(tmp_path: Path) -> ModuleType:
    """The script as it stands in a small project: its paths are those of the copy."""
    (tmp_path / "scripts").mkdir()
    copy = Path(shutil.copy(ROOT / "scripts" / "environment.py", tmp_path / "scripts"))
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'p'\nversion = '1'\n")
    spec = importlib.util.spec_from_file_location("environment_under_test", copy)
    if spec is None or spec.loader is None:
        raise AssertionError("a file can always be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_works_wants_a_python_that_runs_and_has_pip(environment: ModuleType, tmp_path: Path) -> None:
    assert environment.works(Path(sys.executable))
    assert not environment.works(tmp_path / "missing")
    broken = tmp_path / "broken"
    broken.symlink_to("/nowhere/python")
    assert not environment.works(broken)


def test_fingerprint_follows_project_and_lock(environment: ModuleType, tmp_path: Path) -> None:
    prints = {environment.fingerprint()}
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'p'\nversion = '2'\n")
    prints.add(environment.fingerprint())
    (tmp_path / "requirements.lock").write_text("a==1\n")
    prints.add(environment.fingerprint())
    assert len(prints) == 3


def test_half_made_environment_is_made_anew(environment: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    venv: Path = environment.VENV
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/nowhere/python")
    (venv / "left over").touch()
    environment.make_venv()
    assert environment.works(environment.PYTHON)
    assert not (venv / "left over").exists()
    assert "is incomplete" in capfd.readouterr().out
    (venv / "kept").touch()
    environment.make_venv()
    assert (venv / "kept").exists()
    environment.UNFINISHED.touch()  # pip was interrupted
    environment.make_venv()
    assert not (venv / "kept").exists()
    assert environment.works(environment.PYTHON)


def test_ready_environment_is_left_alone(environment: ModuleType) -> None:
    subprocess.run([sys.executable, "-m", "venv", environment.VENV], check=True)
    (environment.VENV / ".ready-run").write_text(environment.fingerprint())
    before = sorted(environment.VENV.rglob("*"))
    assert environment.main(["run"]) == 0
    assert sorted(environment.VENV.rglob("*")) == before


def test_failing_installation_is_reported_and_tried_again_later(
    environment: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text("this is not TOML")
    assert environment.main(["run"]) == 2
    assert "pip's lines above say why" in capfd.readouterr().err
    assert environment.UNFINISHED.exists()
    assert not (environment.VENV / ".ready-run").exists()
