"""What is counted of requests served by a whole worker, against the ledger's rows and the simulator's own record."""

import pytest
from prometheus_client import generate_latest
from support.upstreams import on_loop
from support.worker import FP8, RunningWorker, running_worker


def counted(worker: RunningWorker, name: str, **labels: str) -> float:
    """The sum of a metric's series with these labels."""
    worker.app._reporter.report()
    families = worker.app._metrics.registry.collect()
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


@on_loop
async def test_counters_agree_with_rows_and_upstream(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.ask("hi")
        await worker.ask("count", stream=True)
        worker.upstream.set_scenario("rules: [{match: {nth: 1}, set: {error: 3040}}]")
        await worker.ask("hi")
        await worker.ask("hi [[sim: error=5004]]")
        rows = await worker.rows(4)
        calls = worker.upstream.record.calls
        assert counted(worker, "gateway_requests_total") == 4
        assert counted(worker, "gateway_requests_total", status="200") == 3
        assert counted(worker, "gateway_cost_usd_total") == pytest.approx(sum(row.cost_nano for row in rows) / 1e9)
        assert counted(worker, "gateway_tokens_total", kind="prompt") == sum(call.prompt_tokens for call in calls)
        assert counted(worker, "gen_ai_client_token_usage_sum", gen_ai_token_type="output") == sum(
            call.completion_tokens for call in calls
        )
        assert counted(worker, "gateway_attempts_total", model=FP8) == len(calls)
        assert counted(worker, "gateway_attempts_failed_total", kind="capacity") == 1
        assert counted(worker, "gateway_attempts_failed_total") == 2
        assert counted(worker, "gen_ai_client_operation_duration_seconds_count") == len(calls)
        assert counted(worker, "gen_ai_server_time_to_first_token_seconds_count") == 1
        writes = counted(worker, "gateway_inter_event_gap_seconds_count")
        assert writes > 0
        assert generate_latest(worker.app._metrics.registry).count(b"sk-") == 0


@on_loop
async def test_overhead_leaves_the_upstream_out(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.ask("hi [[sim: delay=0.3]]")
        assert counted(worker, "gen_ai_server_request_duration_seconds_sum") > 0.25
        assert counted(worker, "gateway_overhead_seconds_bucket", le="0.1") == 1
