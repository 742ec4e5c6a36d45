"""What a machine must have: directories, ports and limits that are right, and each that is wrong."""

import fcntl
import socket
from dataclasses import replace
from pathlib import Path

from gateway.config.load import load
from gateway.config.settings import MetricsSettings, Settings
from gateway.diagnosis.finding import Finding
from gateway.diagnosis.machine import examine_machine, running_gateway


def _settings(folder: Path, port: int = 0) -> Settings:
    settings = load("", {}, folder, demo=False)
    server = replace(settings.server, port=port)
    return replace(settings, server=server, metrics=MetricsSettings(listen=""))


def _findings(settings: Settings) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine_machine(settings)}


def test_machine_that_is_fine_is_left_as_it_was(tmp_path: Path) -> None:
    findings = _findings(_settings(tmp_path))
    assert {finding.verdict for finding in findings.values()} == {"ok"}, findings
    assert list(tmp_path.iterdir()) == []


def test_port_of_another_program_is_a_problem_with_its_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = _findings(_settings(tmp_path, port))["port"]
        metrics = replace(_settings(tmp_path), metrics=MetricsSettings(listen=f"127.0.0.1:{port}"))
        of_metrics = _findings(metrics)["metrics port"]
    assert (found.verdict, str(port) in found.message, "server.port" in found.fix) == ("problem", True, True)
    assert (of_metrics.verdict, "metrics.listen" in of_metrics.fix) == ("problem", True)


def test_data_directory_open_to_others_is_a_warning(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    settings.data_dir.mkdir(mode=0o755)
    settings.data_dir.chmod(0o755)
    assert _findings(settings)["data_dir"].verdict == "warning"


def test_data_directory_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    settings.data_dir.touch()
    assert _findings(settings)["data_dir"].verdict == "problem"


def test_spools_left_over_are_told(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    (settings.data_dir / "spool" / "one").mkdir(parents=True)
    found = _findings(settings)["spool"]
    assert (found.verdict, "1 spools" in found.message) == ("warning", True)


def test_running_gateway_is_told_by_its_lock_not_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.pid"
    file.write_text("4711\n")
    assert running_gateway(tmp_path) is None
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = running_gateway(tmp_path)
    assert found is not None
    assert (found.pid, found.url) == ("4711", "")
