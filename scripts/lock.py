"""Makes requirements.lock: what the gateway and its extras install, every version exact, every file by its hash.

Run by `make lock`. The resolver lives in an environment of its own; the file names no index. It is made with the oldest
Python that is supported: newer ones need nothing more, only less.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# What `pip install '.[embedded,tokenizer,fast]'` installs, exact and hashed. Made by `make lock`; not edited by hand.
# Used by `make run`, `make test` and the Dockerfile: pip install --require-hashes -r requirements.lock
"""


def main() -> int:
    """Resolve anew and write the file; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        tools, found = Path(folder) / "tools", Path(folder) / "found.txt"
        subprocess.run([sys.executable, "-m", "venv", tools], check=True)
        python = tools / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "pip-tools>=7.5,<8"], check=True)
        options = ["--generate-hashes", "--strip-extras", "--no-header", "--no-annotate", "--allow-unsafe", "--quiet"]
        options += ["--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options"]
        extras = [f"--extra={name}" for name in ("embedded", "tokenizer", "fast")]
        command = [python, "-m", "piptools", "compile", *options, *extras, f"--output-file={found}", "pyproject.toml"]
        subprocess.run(command, cwd=ROOT, check=True)
        (ROOT / "requirements.lock").write_text(HEADER + found.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
