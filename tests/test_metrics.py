"""What workers count, read back through the parent's listener over real HTTP; every slot is a process of its own."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from gateway.core.receipt import Receipt
from gateway.metrics import DIRECTORY_VARIABLE, Metrics, MetricsListener

ROOT = Path(__file__).parents[1]


def receipt(**changes: object) -> Receipt:
    given: dict[str, object] = {
        "id": "req_1",
        "created_ms": 1,
        "organization_id": "default",
        "project_id": "proj_a",
        "api_key_id": "key_a",
        "surface": "chat",
        "requested_model": "auto",
        "route": "auto",
        "reason": "",
        "model": "@cf/meta/llama",
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "cached_tokens": 0,
        "cost_nano": 1_500_000_000,
        "neurons_nano": None,
        "usage_source": "reported",
        "price_source": "page",
        "end_reason": "stop",
        "status": 200,
        "stream": False,
        "latency_ms": 300,
        "ttft_ms": None,
        "upstream": "simulator",
        "attempts": [],
        **changes,
    }
    return Receipt(**given)  # type: ignore[arg-type]  # every field is one of Receipt's


def told(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_observe_counts_what_the_receipt_says() -> None:
    metrics = Metrics()
    metrics.observe(receipt(), 0.0003)
    metrics.observe(receipt(cached_tokens=4, neurons_nano=2_000_000_000, ttft_ms=70, stream=True), 0.0003)
    text = told(metrics)
    owner = 'model="@cf/meta/llama",project="proj_a"'
    assert f'gateway_requests_total{{{owner},status="200"}} 2.0' in text
    assert f'gateway_tokens_total{{kind="prompt",{owner}}} 20.0' in text
    assert f'gateway_tokens_total{{kind="completion",{owner}}} 40.0' in text
    assert f'gateway_tokens_total{{kind="cached",{owner}}} 4.0' in text
    assert f"gateway_cost_usd_total{{{owner}}} 3.0" in text
    assert f"gateway_neurons_total{{{owner}}} 2.0" in text
    assert 'gateway_request_duration_seconds_count{model="@cf/meta/llama"} 2.0' in text
    assert 'gateway_time_to_first_token_seconds_count{model="@cf/meta/llama"} 1.0' in text
    assert 'gateway_overhead_seconds_bucket{le="0.0005"} 2.0' in text


def test_burn_is_told_with_its_allocation_and_its_price() -> None:
    metrics = Metrics()
    metrics.set_burn(1234.5, 10_000, 0.011)
    text = told(metrics)
    assert "gateway_neurons_today 1234.5" in text
    assert "gateway_neurons_free_per_day 10000.0" in text
    assert "gateway_neurons_usd_per_thousand 0.011" in text


def test_observe_of_a_request_no_model_served_names_none() -> None:
    metrics = Metrics()
    metrics.observe(receipt(model="", status=502), 0.001)
    assert 'gateway_requests_total{model="none",project="proj_a",status="502"} 1.0' in told(metrics)


def test_observe_of_a_clock_that_went_back_counts_no_negative_time() -> None:
    metrics = Metrics()
    metrics.observe(receipt(), -0.5)
    assert "gateway_overhead_seconds_sum 0.0" in told(metrics)


def test_projects_past_the_cap_are_counted_as_other() -> None:
    metrics = Metrics()
    for number in range(260):
        metrics.observe(receipt(project_id=f"proj_{number}"), 0.001)
    metrics.observe(receipt(project_id="proj_3"), 0.001)
    lines = [line for line in told(metrics).splitlines() if line.startswith("gateway_requests_total{")]
    assert len(lines) == 201
    assert any('project="other"' in line and line.endswith(" 60.0") for line in lines)
    assert any('project="proj_3"' in line and line.endswith(" 2.0") for line in lines)


def test_other_counters_and_gauges_say_what_they_were_told() -> None:
    metrics = Metrics()
    metrics.refused("project", "money")
    metrics.attempt_failed("@cf/meta/llama", "capacity")
    metrics.disconnect()
    metrics.set_in_flight(3)
    metrics.set_spool(5)
    metrics.set_store_connected(True)
    text = told(metrics)
    for line in (
        'gateway_refusals_total{kind="money",scope="project"} 1.0',
        'gateway_attempts_failed_total{kind="capacity",model="@cf/meta/llama"} 1.0',
        "gateway_client_disconnects_total 1.0",
        "gateway_requests_in_flight 3.0",
        "gateway_spool_entries 5.0",
        "gateway_store_connected_workers 1.0",
    ):
        assert line in text


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
        "import os; from gateway.metrics import Metrics, join_slot\n"
        f"join_slot({slot}); metrics = Metrics()\n"
        f"metrics.disconnect(); metrics.disconnect(); metrics.set_in_flight({in_flight}); os._exit(9)"
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


def test_every_metric_has_its_line_in_the_documentation(listener: MetricsListener) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    families = [*Metrics().registry.collect(), *listener.registry.collect()]
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"| `{name}` | {family.type} |" in page, name
    documented = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `gateway_")}
    assert len(documented) == len(families)
