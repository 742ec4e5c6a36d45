"""The parent process with real workers, a real store and real signals, around a tiny app."""

import http.client
import os
import signal
import socket
from pathlib import Path

import pytest
from support.running import TinyGateway, free_port, is_running, wait_until

from gateway.store.embedded import EmbeddedStore


def test_start_gives_workers_their_settings(data_dir: Path) -> None:
    with TinyGateway(data_dir, workers=2) as gateway:
        who = gateway.get("/who")
        assert who["pid"] in gateway.started["workers"]
        assert who["slot"] in (0, 1)
        assert who["store_url"] == f"unix://{data_dir}/store/store.sock"
        assert who["admin_key"] == (data_dir / "admin-key").read_text().strip()
        assert who["upstream"] == "cloudflare"
        assert (data_dir / "admin-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_everything_in_order(data_dir: Path, number: signal.Signals) -> None:
    with TinyGateway(data_dir, workers=2) as gateway:
        assert gateway.end(number) == 0
        assert not any(is_running(pid) for pid in gateway.started["workers"])
    assert (data_dir / "left-0").exists()
    assert (data_dir / "left-1").exists()
    assert not EmbeddedStore(data_dir / "store").is_alive()
    assert (data_dir / "gateway.pid").read_text() == ""


def test_restart_keeps_admin_key_and_data(data_dir: Path) -> None:
    keys = set()
    for _ in range(2):
        with TinyGateway(data_dir) as gateway:
            keys.add(gateway.get("/who")["admin_key"])
            assert gateway.end() == 0
    assert len(keys) == 1


def test_killed_worker_is_replaced_in_its_slot(data_dir: Path) -> None:
    with TinyGateway(data_dir, metrics=f"127.0.0.1:{(metrics := free_port())}") as gateway:
        (old,) = gateway.started["workers"]
        os.kill(old, signal.SIGKILL)
        who = gateway.get("/who")  # waits in the listener's queue until the new one accepts
        assert who["pid"] != old
        assert who["slot"] == 0
        connection = http.client.HTTPConnection("127.0.0.1", metrics, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        assert "gateway_workers_replaced_total 1.0" in text
        assert "gateway_client_disconnects_total 1.0" in text


def test_worker_that_ends_itself_is_replaced(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            gateway.get("/exit")
        assert gateway.get("/who")["pid"] not in gateway.started["workers"]


def test_hanging_worker_is_killed_and_replaced(data_dir: Path) -> None:
    with TinyGateway(data_dir, hang_seconds=4.0) as gateway:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            gateway.get("/hang")
        assert gateway.get("/who")["pid"] not in gateway.started["workers"]


def test_worker_that_starts_slowly_does_not_hang(data_dir: Path) -> None:
    with TinyGateway(data_dir, app="support.tiny_app:create_late", hang_seconds=3.5) as gateway:
        assert gateway.get("/who")["pid"] in gateway.started["workers"]


def test_workers_leave_when_the_parent_is_killed(data_dir: Path) -> None:
    with TinyGateway(data_dir, workers=2) as gateway:
        gateway.process.kill()
        for pid in gateway.started["workers"]:
            wait_until(lambda pid=pid: not is_running(pid), f"worker {pid} leaves")  # type: ignore[misc]  # bound now
        assert (data_dir / "left-0").exists()
    assert EmbeddedStore(data_dir / "store").is_alive()


def test_start_after_the_parent_was_killed_takes_over_port_and_store(data_dir: Path) -> None:
    port = free_port()
    with TinyGateway(data_dir, port=port) as killed:
        store = EmbeddedStore(data_dir / "store")
        pid = store.pid
        killed.process.kill()
        killed.process.wait()
        with TinyGateway(data_dir, port=port) as gateway:
            assert gateway.port == port
            assert store.pid == pid
            assert gateway.end() == 0
    assert not is_running(pid)


def test_start_after_everything_was_killed_finds_the_data(data_dir: Path) -> None:
    store = EmbeddedStore(data_dir / "store")
    with TinyGateway(data_dir) as gateway:
        store._ask(b"SET kept yes")
        for pid in (gateway.process.pid, store.pid, *gateway.started["workers"]):
            os.kill(pid, signal.SIGKILL)
        gateway.process.wait()
    with TinyGateway(data_dir) as gateway:
        assert store._ask(b"GET kept") == b"$3\r\nyes\r\n"
        assert gateway.end() == 0


def test_killed_store_is_started_again(data_dir: Path) -> None:
    store = EmbeddedStore(data_dir / "store")
    with TinyGateway(data_dir) as gateway:
        old = store.pid
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: not is_running(old), "the old store ends")
        wait_until(lambda: store._greeting() == b"+PONG\r\n" and store.pid != old, "a new store answers")
        assert gateway.get("/who")["pid"] in gateway.started["workers"]


def test_open_stream_finishes_before_the_end(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway, gateway.open_stream() as response:
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not _accepts(gateway.port), "the listener closes")
        (data_dir / "release").touch()
        assert response.read() == b"last\n"
        assert gateway.process.wait(30) == 0
    assert not (data_dir / "cancelled").exists()


def test_unready_gateway_serves_on_until_its_time_or_a_second_signal(data_dir: Path) -> None:
    with TinyGateway(data_dir, unready_seconds=600.0) as gateway:
        (pid,) = gateway.started["workers"]
        gateway.process.send_signal(signal.SIGTERM)
        wait_until((data_dir / f"told-{pid}").exists, "the worker says that it leaves")
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        connection.request("GET", "/who")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("connection") == "close"
        connection.close()
        assert gateway.end() == 0
    assert (data_dir / "left-0").exists()


def test_address_of_a_client_is_what_a_declared_proxy_says(data_dir: Path) -> None:
    forwarded = {"x-forwarded-for": "198.51.100.1, 203.0.113.7"}
    with TinyGateway(data_dir, trusted_proxies=["127.0.0.0/8"]) as gateway:
        assert gateway.get("/who", forwarded)["client"] == "203.0.113.7"
        assert gateway.get("/who")["client"] == "127.0.0.1"


def test_address_of_a_client_is_its_own_where_no_proxy_is_declared(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway:
        assert gateway.get("/who", {"x-forwarded-for": "203.0.113.7"})["client"] == "127.0.0.1"


def test_second_signal_cancels_what_still_runs(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway, gateway.open_stream() as response:
        gateway.process.send_signal(signal.SIGINT)
        wait_until(lambda: not _accepts(gateway.port), "the listener closes")
        assert gateway.end(signal.SIGINT) == 0
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    assert (data_dir / "cancelled").exists()
    assert (data_dir / "left-0").exists()


def test_drain_deadline_cancels_what_still_runs(data_dir: Path) -> None:
    with TinyGateway(data_dir, drain_seconds=1.0) as gateway, gateway.open_stream():
        assert gateway.end() == 0
    assert (data_dir / "cancelled").exists()


def test_hangup_without_terminal_changes_nothing(data_dir: Path) -> None:
    with TinyGateway(data_dir) as gateway:
        gateway.process.send_signal(signal.SIGHUP)
        assert gateway.process.stderr is not None
        assert "SIGHUP" in gateway.process.stderr.readline()  # until then a SIGTERM would come first
        assert gateway.get("/who")["pid"] in gateway.started["workers"]
        assert gateway.end() == 0


def test_second_gateway_on_the_same_data_is_refused_with_the_pid(data_dir: Path) -> None:
    with TinyGateway(data_dir) as first, TinyGateway(data_dir) as second:
        assert second.process.wait(30) == 2
        assert f"pid {first.process.pid}" in second.errors()
        assert first.get("/who")


def test_taken_port_is_refused_with_the_fix(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with TinyGateway(data_dir, port=port) as gateway:
            assert gateway.process.wait(30) == 2
            assert f"--port {port + 1}" in gateway.errors()
    assert not EmbeddedStore(data_dir / "store").is_alive()


def test_taken_port_moves_where_it_may(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with TinyGateway(data_dir, port=port, may_move=True) as gateway:
            assert port < gateway.port <= port + 50


def test_app_that_cannot_be_made_ends_the_start(data_dir: Path) -> None:
    with TinyGateway(data_dir, app="support.tiny_app:create_nothing") as gateway:
        assert gateway.process.wait(30) == 1
        errors = gateway.errors()
        assert "slot 0 has no app" in errors
        assert "before it served" in errors
    assert not EmbeddedStore(data_dir / "store").is_alive()


def test_chosen_metrics_address_that_is_taken_is_refused(data_dir: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        TinyGateway(data_dir, metrics=f"127.0.0.1:{taken.getsockname()[1]}") as gateway,
    ):
        assert gateway.process.wait(30) == 2
        assert "metrics.listen" in gateway.errors()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
