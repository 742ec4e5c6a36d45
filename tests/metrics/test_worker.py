"""What a worker counts, as a scrape would read it; and that docs/metrics.md has a line for each metric."""

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from gateway.core.gaps import Gaps
from gateway.core.receipt import Attempt, Receipt
from gateway.metrics import LimitStanding, Metrics, MetricsListener, ModelStanding, Standing

ROOT = Path(__file__).parents[2]
LLAMA = "@cf/meta/llama"
GENAI = f'gen_ai_operation_name="chat",gen_ai_provider_name="cloudflare.workers_ai",gen_ai_request_model="{LLAMA}"'


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


def told(metrics: Metrics, standing: Standing | None = None) -> str:
    metrics.report(standing or Standing())
    return generate_latest(metrics.registry).decode()


def test_observe_counts_what_the_receipt_says() -> None:
    metrics = Metrics()
    metrics.observe(receipt(), 0.0003)
    metrics.observe(receipt(cached_tokens=4, neurons_nano=2_000_000_000, ttft_ms=70, stream=True), 0.0003)
    text = told(metrics)
    owner = f'model="{LLAMA}",project="proj_a"'
    assert f'gateway_requests_total{{{owner},status="200"}} 2.0' in text
    assert f'gateway_tokens_total{{kind="prompt",{owner}}} 20.0' in text
    assert f'gateway_tokens_total{{kind="completion",{owner}}} 40.0' in text
    assert f'gateway_tokens_total{{kind="cached",{owner}}} 4.0' in text
    assert f"gateway_cost_usd_total{{{owner}}} 3.0" in text
    assert f"gateway_neurons_total{{{owner}}} 2.0" in text
    assert f"gen_ai_server_request_duration_seconds_count{{{GENAI}}} 2.0" in text
    assert f'gen_ai_server_request_duration_seconds_bucket{{{GENAI},le="0.32"}} 2.0' in text
    assert f'gen_ai_server_request_duration_seconds_bucket{{{GENAI},le="0.16"}} 0.0' in text
    assert f'gen_ai_client_token_usage_sum{{{GENAI},gen_ai_token_type="output"}} 40.0' in text
    assert f'gen_ai_client_token_usage_count{{{GENAI},gen_ai_token_type="input"}} 2.0' in text
    assert 'gateway_overhead_seconds_bucket{le="0.0005"} 2.0' in text
    assert told(metrics) == text  # nothing is handed over twice


def test_first_token_and_pace_are_those_of_streams() -> None:
    metrics = Metrics()
    metrics.observe(receipt(ttft_ms=290), 0.0003)  # came whole: its first byte says nothing
    metrics.observe(receipt(ttft_ms=110, stream=True), 0.0003)  # 19 more tokens in 190 ms
    text = told(metrics)
    assert f"gen_ai_server_time_to_first_token_seconds_count{{{GENAI}}} 1.0" in text
    assert f'gen_ai_server_time_to_first_token_seconds_bucket{{{GENAI},le="0.25"}} 1.0' in text
    assert f'gen_ai_server_time_per_output_token_seconds_bucket{{{GENAI},le="0.01"}} 1.0' in text
    assert f'gen_ai_server_time_per_output_token_seconds_bucket{{{GENAI},le="0.005"}} 0.0' in text


def test_gaps_of_a_stream_are_counted_by_length() -> None:
    metrics = Metrics()
    gaps = Gaps(10.0)
    for moment in (10.004, 10.008, 80.0):
        gaps.note(moment)
    metrics.observe(receipt(stream=True), 0.001, gaps)
    text = told(metrics)
    assert f'gateway_inter_event_gap_seconds_bucket{{le="0.005",model="{LLAMA}"}} 2.0' in text
    assert f'gateway_inter_event_gap_seconds_bucket{{le="60.0",model="{LLAMA}"}} 2.0' in text
    assert f'gateway_inter_event_gap_seconds_bucket{{le="+Inf",model="{LLAMA}"}} 3.0' in text
    assert f'gateway_inter_event_gap_seconds_sum{{model="{LLAMA}"}} 70.0' in text


def test_attempts_are_counted_with_their_failures_by_kind() -> None:
    metrics = Metrics()
    attempts = [
        Attempt("@cf/a", "capacity", latency_ms=30),
        Attempt("@cf/a", "capacity", latency_ms=30),
        Attempt(LLAMA, "stop", latency_ms=300),
        Attempt(LLAMA, "client_gone", latency_ms=300),
    ]
    metrics.observe(receipt(attempts=attempts), 0.001)
    text = told(metrics)
    assert 'gateway_attempts_total{model="@cf/a"} 2.0' in text
    assert f'gateway_attempts_total{{model="{LLAMA}"}} 2.0' in text
    assert 'gateway_attempts_failed_total{kind="capacity",model="@cf/a"} 2.0' in text
    assert f'gateway_attempts_failed_total{{kind="client_gone",model="{LLAMA}"}}' not in text
    assert re.search(r'gen_ai_client_operation_duration_seconds_count\{error_type="capacity".*"@cf/a"\} 2.0', text)
    assert re.search(r'gen_ai_client_operation_duration_seconds_count\{error_type="",.*"@cf/meta/llama"\} 2.0', text)


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


def test_models_past_the_cap_are_counted_as_other() -> None:
    metrics = Metrics()
    for number in range(130):
        name = f"@cf/{number}"
        metrics.observe(receipt(model=name, attempts=[Attempt(name, "stop")]), 0.001)
    text = told(metrics)
    for family in ("gateway_requests_total", "gateway_attempts_total"):
        lines = [line for line in text.splitlines() if line.startswith(f"{family}{{")]
        assert len(lines) == 101
        assert any('model="other"' in line and line.endswith(" 30.0") for line in lines)


def test_failures_and_refusals_that_may_come_begin_at_zero() -> None:
    metrics = Metrics()
    metrics.expect([LLAMA])
    text = told(metrics)
    assert f'gateway_attempts_failed_total{{kind="not_authorized",model="{LLAMA}"}} 0.0' in text
    assert f'gateway_attempts_total{{model="{LLAMA}"}} 0.0' in text
    assert 'gateway_refusals_total{kind="money",scope="project"} 0.0' in text


def test_other_counters_say_what_they_were_told() -> None:
    metrics = Metrics()
    metrics.refused("project", "money")
    metrics.failed(401, "invalid_request_error")
    metrics.disconnect()
    metrics.store_answered(0.0004)
    metrics.admin_rejected()
    metrics.guessed("failed")
    text = told(metrics)
    for line in (
        'gateway_refusals_total{kind="money",scope="project"} 1.0',
        'gateway_errors_total{status="401",type="invalid_request_error"} 1.0',
        "gateway_client_disconnects_total 1.0",
        "gateway_admin_authentications_failed_total 1.0",
        'gateway_authentications_failed_total{outcome="failed"} 1.0',
        'gateway_authentications_failed_total{outcome="refused"} 0.0',
        'gateway_store_latency_seconds_bucket{le="0.0005"} 1.0',
        'gateway_store_latency_seconds_bucket{le="0.00025"} 0.0',
    ):
        assert line in text


def test_report_shows_how_things_stand() -> None:
    metrics = Metrics()
    standing = Standing(
        in_flight=3,
        holds=2,
        held_nano=5_000_000_000,
        spool_entries=5,
        lost=1,
        expired=4,
        admitted_without_store=7,
        store_queue=6,
        is_store_connected=True,
        models=(ModelStanding(LLAMA, "open"), ModelStanding("@cf/old", "closed", is_retired=True, window_tokens=8_192)),
        stop="quota",
    )
    told(metrics, standing)
    text = told(metrics, standing)  # what only grows is not counted twice
    for line in (
        "gateway_requests_in_flight 3.0",
        "gateway_holds 2.0",
        "gateway_held_usd 5.0",
        "gateway_spool_entries 5.0",
        "gateway_spool_entries_lost_total 1.0",
        "gateway_holds_expired_total 4.0",
        "gateway_admitted_without_store_total 7.0",
        "gateway_store_queue_commands 6.0",
        "gateway_store_connected_workers 1.0",
        f'gateway_breaker_workers{{model="{LLAMA}",state="open"}} 1.0',
        f'gateway_breaker_workers{{model="{LLAMA}",state="closed"}} 0.0',
        'gateway_model_retired{model="@cf/old"} 1.0',
        'gateway_model_window_tokens{model="@cf/old"} 8192.0',
        'gateway_account_stopped{reason="quota"} 1.0',
        'gateway_account_stopped{reason="rate_limited"} 0.0',
    ):
        assert line in text, line


def test_report_of_a_model_that_is_no_longer_configured_says_nothing_of_it() -> None:
    metrics = Metrics()
    told(metrics, Standing(models=(ModelStanding(LLAMA, "open", is_retired=True),)))
    text = told(metrics, Standing())
    assert f'gateway_breaker_workers{{model="{LLAMA}",state="open"}} 0.0' in text
    assert f'gateway_model_retired{{model="{LLAMA}"}} 0.0' in text


def test_limits_that_are_gone_are_not_near() -> None:
    metrics = Metrics()
    near = LimitStanding("project", "proj_a", "money", "month", 0.93)
    metrics.books.show_limits([near, LimitStanding("organization", "", "money", "month", 0.5)])
    label = 'gateway_limit_used_ratio{kind="money",project="proj_a",scope="project",window="month"}'
    assert f"{label} 0.93" in told(metrics)
    metrics.books.show_limits([LimitStanding("organization", "", "money", "month", 0.6)])
    assert f"{label} 0.0" in told(metrics)


def test_burn_is_told_with_its_allocation_and_its_price() -> None:
    metrics = Metrics()
    metrics.books.show_burn(1234.5, 10_000, 0.011)
    metrics.books.show_reconciliation(86_400, 99.5, 100.0)
    text = told(metrics)
    assert 'gateway_reconciled_neurons{side="ledger"} 99.5' in told(metrics)
    assert 'gateway_reconciled_neurons{side="provider"} 100.0' in told(metrics)
    assert "gateway_reconciled_day_timestamp_seconds 86400.0" in told(metrics)
    assert "gateway_neurons_today 1234.5" in text
    assert "gateway_neurons_free_per_day 10000.0" in text
    assert "gateway_neurons_usd_per_thousand 0.011" in text


def test_audit_is_shown() -> None:
    metrics = Metrics()
    metrics.books.show_audit(2, 1_800_000_000)
    text = told(metrics)
    assert "gateway_ledger_drift 2.0" in text
    assert "gateway_ledger_verified_timestamp_seconds 1.8e+09" in text


@pytest.fixture
def listener(tmp_path: Path) -> MetricsListener:
    return MetricsListener(tmp_path / "metrics")


def test_every_metric_has_its_line_in_the_documentation(listener: MetricsListener) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    families = [*Metrics().registry.collect(), *listener.registry.collect()]
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"| `{name}` | {family.type} |" in page, name
    documented = {line.split("`")[1] for line in page.splitlines() if line.startswith(("| `gateway_", "| `gen_ai_"))}
    assert len(documented) == len(families)


def test_labels_are_those_of_the_documentation() -> None:
    """And every label is one whose values are bounded."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith(("| `gateway_", "| `gen_ai_"))]
    documented = {cells[0].strip("| `"): set(re.findall(r"`([a-z_]+)`", cells[2])) for cells in rows}
    for metric in Metrics().registry._names_to_collectors.values():
        name = metric._name + ("_total" if metric._type == "counter" else "")  # type: ignore[attr-defined]  # the library's own
        assert set(metric._labelnames) == documented[name], name  # type: ignore[attr-defined]  # likewise
