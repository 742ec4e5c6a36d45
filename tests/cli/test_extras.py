"""Settings that need an extra which is not installed are a mistake of the configuration, for every command alike."""

import subprocess
import sys
from pathlib import Path

import pytest

# The program as it is where these packages are missing.
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(("opentelemetry", "pyreqwest")))
sys.argv[0] = "gateway"
from gateway.cli.main import main
sys.exit(main())
"""


def run_without(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, *arguments]
    environ = {"HOME": str(folder), "NO_COLOR": "1", "COLUMNS": "400"}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "command",
    [("check", "config.yaml"), ("serve", "--demo"), ("doctor",), ("serve", "--demo", "--rehearse")],
    ids=" ".join,
)
def test_missing_extras_end_every_command_with_the_line_and_the_remedy(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "config.yaml").write_text(
        "upstream:\n  client: pyreqwest\ntracing:\n  endpoint: http://127.0.0.1:4318/v1/traces\n"
    )
    ended = run_without(tmp_path, *command)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    for told in (
        "line 2: upstream.client: pyreqwest is not installed (pip install 'workers-ai-gateway[fast]')",
        "line 4: tracing.endpoint: OpenTelemetry is not installed (pip install 'workers-ai-gateway[otel]')",
    ):
        assert told in ended.stdout + ended.stderr
    assert not (tmp_path / "data").exists()  # nothing was begun


def test_what_asks_for_no_extra_does_without_them(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("upstream: {client: auto}\ntracing: {endpoint: ''}\n")
    assert run_without(tmp_path, "check", "config.yaml").returncode == 0
