"""What a machine must have: directories, ports and limits that are right, and each that is wrong."""

import fcntl
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gateway.config.load import load
from gateway.config.settings import MetricsSettings, Settings
from gateway.diagnosis.finding import Finding
from gateway.diagnosis.machine import demo_running, examine_machine, running_gateway


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


@contextmanager
def _answering(body: bytes) -> Iterator[int]:
    """The port of a server that answers two requests with this body."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_ports_of_another_gateway_are_told_as_such_and_a_demos_are_no_problem(tmp_path: Path) -> None:
    with _answering(b"gateway_workers 2\n") as port:
        settings = replace(_settings(tmp_path), metrics=MetricsSettings(listen=f"127.0.0.1:{port}"))
        assert demo_running(settings.data_dir) is None
        other = _findings(settings)["metrics port"]
        lock = settings.data_dir / "demo" / "gateway.pid"
        lock.parent.mkdir(parents=True)
        lock.write_text("4711\n")
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            demos = _findings(settings)["metrics port"]
    assert (other.verdict, "belongs to another gateway" in other.message) == ("problem", True)
    assert (demos.verdict, f"the demo in {lock.parent}" in demos.message) == ("warning", True)


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
