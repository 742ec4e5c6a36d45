"""The parent's listener over real HTTP; every slot is a process of its own."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.metrics import DIRECTORY_VARIABLE, MetricsListener

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[MetricsListener]:
    made = MetricsListener(tmp_path / "metrics")
    yield made
    made.close()


def scrape(port: int) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def count_in_slot(directory: Path, slot: int, in_flight: int) -> None:
    """A worker's life in a slot: two disconnects, and some requests still in flight when it is killed."""
    program = (
        "import os; from gateway.metrics import Metrics, Standing, join_slot\n"
        f"join_slot({slot}); metrics = Metrics()\n"
        f"metrics.disconnect(); metrics.disconnect(); metrics.report(Standing(in_flight={in_flight})); os._exit(9)"
    )
    environ = {**os.environ, DIRECTORY_VARIABLE: str(directory), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], env=environ, check=False, timeout=60)


def test_listener_sums_slots_and_survives_replaced_workers(listener: MetricsListener) -> None:
    port = listener.listen("127.0.0.1", 0)
    count_in_slot(listener.directory, 0, in_flight=7)
    count_in_slot(listener.directory, 1, in_flight=2)
    count_in_slot(listener.directory, 0, in_flight=1)
    listener.set_workers(2)
    listener.worker_replaced()
    listener.store_restarted()
    text = scrape(port)
    assert "gateway_client_disconnects_total 6.0" in text
    assert "gateway_requests_in_flight 3.0" in text
    assert "gateway_workers 2.0" in text
    assert "gateway_workers_replaced_total 1.0" in text
    assert "gateway_embedded_store_restarts_total 1.0" in text
    assert len(list(listener.directory.iterdir())) == 8  # counter, histogram and two kinds of gauges of two slots


def test_listener_starts_from_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "metrics"
    directory.mkdir()
    (directory / "counter_0.db").write_bytes(b"from an earlier run")
    listener = MetricsListener(directory)
    port = listener.listen("127.0.0.1", 0)
    assert "gateway_workers 0.0" in scrape(port)
    listener.close()
    listener.close()
    assert not directory.exists()
