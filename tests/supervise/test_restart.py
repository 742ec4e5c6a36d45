"""Restarts under load with real processes around the tiny app: what goes over, what is refused, who is seen off."""

import http.client
import json
import os
import signal
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest
from support.running import TinyGateway, is_running, wait_until

from gateway.store.embedded import EmbeddedStore
from gateway.supervise.restart import RestartRecord, read_record, write_record


def restart(gateway: TinyGateway) -> RestartRecord:
    """Ask for it, and wait for what came of it."""
    before = read_record(gateway.data_dir)
    gateway.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: read_record(gateway.data_dir).asked > before.asked, "the restart is over")
    return read_record(gateway.data_dir)


def test_record_is_read_as_written_and_empty_where_there_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) == RestartRecord()
    write_record(tmp_path, RestartRecord(2, 3, "why"))
    assert read_record(tmp_path) == RestartRecord(2, 3, "why")


def test_restart_keeps_process_port_and_store_and_replaces_the_workers(data_dir: Path) -> None:
    with TinyGateway(data_dir, workers=2) as gateway:
        store = EmbeddedStore(data_dir / "store").pid
        assert restart(gateway) == RestartRecord(1, 1)
        for pid in gateway.started["workers"]:
            wait_until(lambda pid=pid: not is_running(pid), f"worker {pid} leaves")  # type: ignore[misc]  # bound now
        who = gateway.get("/who")
        assert who["pid"] not in gateway.started["workers"]
        assert who["slot"] in (2, 3)  # the files of the slots before are still counted in
        assert EmbeddedStore(data_dir / "store").pid == store
        assert restart(gateway).restarts == 2
        wait_until(lambda: not is_running(who["pid"]), "the second generation leaves")
        assert gateway.get("/who")["slot"] in (0, 1)
        relieved = [*gateway.started["workers"], who["pid"]]
        assert not any((data_dir / f"told-{pid}").exists() for pid in relieved)  # for readiness: others are ready
        assert gateway.end() == 0
    assert not is_running(store)
    assert (data_dir / "gateway.pid").read_text() == ""


def test_stream_begun_before_a_restart_ends_with_its_worker(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway, gateway.open_stream() as response:
        restart(gateway)
        wait_until(lambda: gateway.get("/who")["pid"] not in gateway.started["workers"], "new workers serve alone")
        assert all(is_running(pid) for pid in gateway.started["workers"])
        (data_dir / "release").touch()
        assert response.read() == b"last\n"
        (old,) = gateway.started["workers"]
        wait_until(lambda: not is_running(old), "the old worker leaves")
        assert gateway.end() == 0
    assert not (data_dir / "cancelled").exists()


def test_connection_kept_over_a_restart_is_answered_and_told_to_close(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway, closing(http.client.HTTPConnection("127.0.0.1", gateway.port)) as kept:
        kept.request("GET", "/who")
        first = kept.getresponse()
        assert first.getheader("connection") is None
        old = json.loads(first.read())["pid"]
        restart(gateway)
        kept.request("GET", "/who")
        second = kept.getresponse()
        assert second.getheader("connection") == "close"
        assert json.loads(second.read())["pid"] == old


def test_connections_in_use_through_restarts_lose_no_request(data_dir: Path) -> None:
    """Clients that close after each request and clients that keep their connection, without a pause."""
    with TinyGateway(data_dir, workers=2) as gateway:
        is_over = threading.Event()
        answered: list[int] = []
        failed: list[str] = []

        def use(is_kept: bool) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
            while not is_over.is_set():
                try:
                    connection.request("GET", "/who", headers={} if is_kept else {"connection": "close"})
                    answered.append(json.loads(connection.getresponse().read())["pid"])
                except (OSError, http.client.HTTPException) as error:
                    failed.append(repr(error))
            connection.close()

        clients = [threading.Thread(target=use, args=(number % 2 == 0,)) for number in range(4)]
        for client in clients:
            client.start()
        for _ in range(2):
            restart(gateway)
        wait_until(lambda: not any(map(is_running, gateway.started["workers"])), "the first workers leave")
        is_over.set()
        for client in clients:
            client.join()
        assert failed == []
        assert len(set(answered)) >= 4


def test_restart_into_a_broken_configuration_is_refused_and_nothing_happens(data_dir: Path) -> None:
    config = data_dir.parent / "config.json"
    config.write_text("{}")
    with TinyGateway(data_dir, config=str(config)) as gateway:
        config.write_text('{"server": {"prot": 1}}')
        record = restart(gateway)
        assert record.restarts == 0
        assert "prot" in record.refusal
        assert gateway.get("/who")["pid"] in gateway.started["workers"]
        config.write_text("{}")
        assert restart(gateway) == RestartRecord(restarts=1, asked=2)
        assert gateway.end() == 0
        assert "THE RESTART IS REFUSED" in gateway.errors()


@pytest.mark.parametrize(("mark", "why"), [("broken", "installation is broken"), ("unready", "nothing to serve from")])
def test_restart_into_a_program_whose_workers_do_not_get_ready_is_refused(data_dir: Path, mark: str, why: str) -> None:
    with TinyGateway(data_dir) as gateway:
        (data_dir / mark).touch()
        record = restart(gateway)
        assert record.restarts == 0
        assert why in record.refusal
        assert gateway.get("/who")["pid"] in gateway.started["workers"]
        (data_dir / mark).unlink()
        assert restart(gateway) == RestartRecord(restarts=1, asked=2)
        assert gateway.end() == 0


def test_gateway_ends_while_a_worker_on_trial_is_stuck(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway:
        (data_dir / "stuck").touch()
        gateway.process.send_signal(signal.SIGUSR2)
        wait_until((data_dir / "is-stuck").exists, "a worker is on trial")
        assert gateway.end() == 0
        assert not list(data_dir.glob("trial-*"))
        assert not is_running(int((data_dir / "is-stuck").read_text()))


def test_signal_to_end_that_comes_while_the_program_is_replaced_ends_its_store_too(data_dir: Path) -> None:
    def has_waiting_signals() -> bool:
        status = Path(f"/proc/{gateway.process.pid}/status").read_text()
        (blocked,) = (line for line in status.splitlines() if line.startswith("SigBlk"))
        return bool(int(blocked.split()[1], 16) & 1 << signal.SIGTERM - 1)

    with TinyGateway(data_dir) as gateway:
        store = EmbeddedStore(data_dir / "store").pid
        gateway.process.send_signal(signal.SIGUSR2)
        wait_until(has_waiting_signals, "the program is being replaced")
        assert gateway.end() == 0
    assert not is_running(store)


def test_restart_onto_another_data_directory_is_refused(data_dir: Path) -> None:
    config = data_dir.parent / "config.json"
    config.write_text("{}")
    with TinyGateway(data_dir, config=str(config)) as gateway:
        config.write_text(json.dumps({"data_dir": str(data_dir.parent / "other")}))
        assert "data_dir" in restart(gateway).refusal
        assert gateway.end() == 0


def test_restart_onto_a_port_that_is_taken_is_refused(data_dir: Path) -> None:
    config = data_dir.parent / "config.json"
    config.write_text("{}")
    with TinyGateway(data_dir, config=str(config)) as gateway, socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(json.dumps({"server": {"port": taken.getsockname()[1]}}))
        assert "is taken" in restart(gateway).refusal
        assert gateway.get("/who")["pid"] in gateway.started["workers"]
        assert gateway.end() == 0


def test_restart_takes_over_what_a_reload_cannot(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    config = data_dir.parent / "config.json"
    config.write_text("{}")
    with TinyGateway(data_dir, config=str(config)) as gateway:
        config.write_text(json.dumps({"server": {"port": port}}))
        assert restart(gateway).refusal == ""
        gateway.port = port
        assert gateway.get("/who")["port"] == port
        assert gateway.end() == 0


def test_signal_to_end_while_workers_before_are_leaving_drains_them_too(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway, gateway.open_stream() as response:
        restart(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: _is_closed(gateway.port), "the listener closes")
        (data_dir / "release").touch()
        assert response.read() == b"last\n"
        assert gateway.process.wait(30) == 0
    assert not (data_dir / "cancelled").exists()


def test_stream_that_outlasts_the_drain_of_a_relieved_worker_is_cancelled_in_order(data_dir: Path) -> None:
    with TinyGateway(data_dir, drain_seconds=2.0) as gateway, gateway.open_stream():
        restart(gateway)
        (old,) = gateway.started["workers"]
        wait_until(lambda: not is_running(old), "the old worker leaves")
        assert (data_dir / "cancelled").exists()
        assert (data_dir / "left-0").exists()  # by its own shutdown, not by a kill
        assert gateway.end() == 0
        assert "killed" not in gateway.errors()


def test_worker_before_that_dies_while_it_leaves_is_buried(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway, gateway.open_stream():
        restart(gateway)
        (old,) = gateway.started["workers"]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{old}").exists(), "it is buried")
        assert gateway.get("/who")
        assert gateway.end() == 0


def _is_closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
