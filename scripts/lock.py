"""Makes the three locks: what the gateway and its extras install, the vocabulary, and what builds the package.

Every version exact, every file by its hash. Run by `make lock`. The resolver lives in an environment of its own; the
files name no index. They are made with the oldest Python that is supported: newer ones need nothing more, only less.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY = "llama-models==0.3.0"
HEADER = """\
# What `pip install '.[embedded,tokenizer,fast,otel]'` installs, exact and hashed. Made by `make lock`.
# Used by `make run`, `make test` and the Dockerfile: pip install --require-hashes -r requirements.lock
"""
BUILD_HEADER = """\
# What builds the package, exact and hashed. Made by `make lock`; used by the Dockerfile's first stage.
"""
VOCABULARY_HEADER = """\
# The vocabulary file of Llama 3 lies in this wheel; nothing of it is imported, so what it requires is not needed:
# pip install --no-deps --require-hashes -r requirements-vocabulary.lock
"""
OPTIONS = ["--generate-hashes", "--strip-extras", "--no-header", "--no-annotate", "--allow-unsafe", "--quiet"]
OPTIONS += ["--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options"]


def main() -> int:
    """Resolve anew and write the files; returns the exit status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", folder / "tools"], check=True)
        python = folder / "tools" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "pip-tools>=7.5,<8"], check=True)
        extras = [f"--extra={extra}" for extra in ("embedded", "tokenizer", "fast", "otel")]
        found = _compile(python, folder, [*extras, "pyproject.toml"])
        (ROOT / "requirements.lock").write_text(HEADER + found)
        builders = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
        (folder / "build.in").write_text("\n".join(builders))
        (ROOT / "requirements-build.lock").write_text(BUILD_HEADER + _compile(python, folder, [folder / "build.in"]))
        (ROOT / "requirements-vocabulary.lock").write_text(VOCABULARY_HEADER + _vocabulary(python, folder / "wheel"))
    return 0


def _compile(python: Path, folder: Path, wanted: list[str | Path]) -> str:
    """What these need, exact and hashed."""
    found = folder / "found.txt"
    found.unlink(missing_ok=True)
    command = [python, "-m", "piptools", "compile", *OPTIONS, f"--output-file={found}", *wanted]
    subprocess.run(command, cwd=ROOT, check=True)
    return found.read_text()


def _vocabulary(python: Path, folder: Path) -> str:
    """The wheel with its hash."""
    pip = [python, "-m", "pip"]
    subprocess.run([*pip, "download", "--quiet", "--no-deps", "--dest", folder, VOCABULARY], check=True)
    (wheel,) = folder.iterdir()
    told = subprocess.run([*pip, "hash", wheel], check=True, capture_output=True, text=True).stdout
    (digest,) = re.findall(r"--hash=sha256:[0-9a-f]+", told)
    return f"{VOCABULARY} {digest}\n"


if __name__ == "__main__":
    sys.exit(main())
