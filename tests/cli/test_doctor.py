"""`gateway doctor`, run for real: what it prints and how it ends."""

import fcntl
import json
from pathlib import Path

from support.command_line import Command
from support.running import free_port


def _configured(folder: Path) -> None:
    (folder / "config.yaml").write_text(f"server: {{port: {free_port()}}}\nmetrics: {{listen: ''}}\n")


def test_doctor_of_a_demo_is_content_and_exits_0(bare: Command, tmp_path: Path) -> None:
    _configured(tmp_path)
    examined = bare("doctor", "--demo", "--offline")
    assert examined.returncode == 0, examined.stdout + examined.stderr
    assert "PROBLEM" not in examined.stdout
    assert "credentials" in examined.stdout


def test_doctor_problem_says_what_to_do_and_exits_1(bare: Command, tmp_path: Path) -> None:
    _configured(tmp_path)
    examined = bare("doctor", "--offline")
    assert examined.returncode == 1
    assert "PROBLEM  credentials" in examined.stdout
    assert "→ Set CLOUDFLARE_ACCOUNT_ID" in examined.stdout


def test_doctor_json_carries_every_finding(bare: Command, tmp_path: Path) -> None:
    _configured(tmp_path)
    environ = {"CLOUDFLARE_ACCOUNT_ID": "a", "CLOUDFLARE_API_TOKEN": "canary"}
    examined = bare("doctor", "--offline", "--json", environ=environ)
    findings = {finding["check"]: finding for finding in json.loads(examined.stdout)}
    assert findings["credentials"]["verdict"] == "ok"
    assert "canary" not in examined.stdout


def test_doctor_invalid_configuration_exits_2(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("server: {port: many}\n")
    examined = bare("doctor")
    assert examined.returncode == 2
    assert "line 1" in examined.stderr


def test_doctor_beside_a_running_demo_points_to_it(bare: Command, tmp_path: Path) -> None:
    _configured(tmp_path)
    lock = tmp_path / "data" / "demo" / "gateway.pid"
    lock.parent.mkdir(mode=0o700, parents=True)
    lock.write_text("4711\n")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        examined = bare("doctor", "--offline")
    assert "PROBLEM  credentials" not in examined.stdout
    assert "gateway doctor --demo" in " ".join(examined.stdout.split())
