"""Makes .venv and installs the gateway into it; does nothing when that is done already.

`environment.py run` installs what `make run` needs, `environment.py test` the development tools as well. Works on a
bare Python 3.11: nothing is installed yet. A half-made environment (interrupted, or its Python is gone) is made anew.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
UNFINISHED = VENV / ".unfinished"
EXTRAS = ("embedded", "tokenizer", "fast")
VOCABULARY = ROOT / "requirements-vocabulary.lock"  # only a data file is used, so without what it requires
FORGED = "DO NOT MATCH THE HASHES"  # how pip says that a file is not the one that was locked


def main(arguments: list[str]) -> int:
    """Make the environment for `run` or `test`; returns the exit status."""
    purpose = arguments[0] if arguments else "run"
    ready = VENV / f".ready-{purpose}"
    wanted = fingerprint()
    if ready.exists() and ready.read_text() == wanted and not UNFINISHED.exists() and works(PYTHON):
        return 0
    try:
        make_venv()
        UNFINISHED.touch()
        print(f"Installing the gateway into {VENV} (once; about a minute) …", flush=True)
        left_out = install()
        if purpose == "test":
            pip("install", "--editable", ".[dev]")
    except subprocess.CalledProcessError as error:
        print(f"\nThe installation failed (status {error.returncode}); pip's lines above say why.", file=sys.stderr)
        return 2
    for extra in left_out:
        print(f"Note: the extra `{extra}` cannot be installed on this machine; the gateway runs without it.")
    ready.write_text(wanted)
    (VENV / ".ready-run").write_text(wanted)
    UNFINISHED.unlink()
    return 0


def fingerprint() -> str:
    """What the environment depends on: if it changes, pip runs again."""
    locks = [lock.read_bytes() if lock.exists() else b"" for lock in (LOCK, VOCABULARY)]
    parts = [(ROOT / "pyproject.toml").read_bytes(), *locks, str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def works(python: Path) -> bool:
    """Whether an environment's Python runs, is new enough and has pip."""
    program = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", program], capture_output=True).returncode == 0
    except OSError:
        return False


def make_venv() -> None:
    """A working, empty or used, environment in .venv."""
    is_ours = Path(sys.prefix).resolve() == VENV.resolve()  # made by uv a moment ago, and running this very file
    if is_ours or (works(PYTHON) and not UNFINISHED.exists()):
        return
    if VENV.exists() or VENV.is_symlink():
        print(f"{VENV} is incomplete: making it anew.", flush=True)
        if VENV.is_symlink() or VENV.is_file():
            VENV.unlink()
        else:
            shutil.rmtree(VENV)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)


def install() -> list[str]:
    """Install the gateway and its extras; returns the extras this machine cannot have."""
    left_out: list[str] = []
    if LOCK.exists() and not try_locked("--requirement", str(LOCK)):
        print("The locked versions do not fit this machine; taking the newest that do.", flush=True)
    if not try_pip("install", "--editable", f".[{','.join(EXTRAS)}]"):
        pip("install", "--editable", ".")
        left_out = [extra for extra in EXTRAS if not try_pip("install", "--editable", f".[{extra}]")]
    if "tokenizer" not in left_out and not try_locked("--no-deps", "--requirement", str(VOCABULARY)):
        left_out.append("tokenizer")
    return left_out


def try_locked(*arguments: str) -> bool:
    """Install what a lock names; whether it could be had. Raises CalledProcessError where a file is another one."""
    try:
        pip("install", "--require-hashes", *arguments, stderr=subprocess.PIPE)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr, end="", flush=True)
        if FORGED in error.stderr:
            raise
        return False
    return True


def pip(*arguments: str, stderr: int | None = None) -> None:
    """Run pip in the environment; raises CalledProcessError."""
    command = [str(PYTHON), "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check", "--no-input"]
    misleading = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    environ = {name: value for name, value in os.environ.items() if name not in misleading}
    subprocess.run(command, cwd=ROOT, env=environ, check=True, stderr=stderr, text=True)


def try_pip(*arguments: str) -> bool:
    """Run pip; whether it succeeded."""
    try:
        pip(*arguments)
    except subprocess.CalledProcessError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
