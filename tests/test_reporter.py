"""A worker's gauges, as a scrape finds them: what is held, which model rests or is gone, how far limits are used."""

import json

from prometheus_client import generate_latest
from support.upstreams import on_loop
from support.worker import FP8, RunningWorker, asking, running_worker, until

from gateway.fleet.breakers import FAILURES
from gateway.fleet.health import CONFIRMATIONS


def told(worker: RunningWorker) -> str:
    """What a scrape would find now."""
    worker.app._reporter.report()
    return generate_latest(worker.app._metrics.registry).decode()


@on_loop
async def test_report_tells_what_is_held_while_a_request_runs(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        async with worker.connection(asking("hi [[sim: gate=door]]", max_tokens=1000)):
            await worker.at_gate("door")
            text = told(worker)
            assert "gateway_requests_in_flight 1.0" in text
            assert "gateway_holds 1.0" in text
            (held,) = [line for line in text.splitlines() if line.startswith("gateway_held_usd ")]
            # 1,000 tokens out at $0.287 a million, and a prompt of some twenty at $0.152.
            assert 0.000287 < float(held.split()[1]) < 0.000300
        await until(lambda: not worker.ledger.live)
        text = told(worker)
        assert "gateway_holds 0.0" in text
        assert "gateway_held_usd 0.0" in text
        await until(lambda: "gateway_requests_in_flight 0.0" in told(worker))
        assert "gateway_store_connected_workers 1.0" in text
        assert "gateway_client_disconnects_total 1.0" in text


@on_loop
async def test_report_tells_models_that_rest_and_models_that_are_gone(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        worker.upstream.set_scenario(json.dumps({"retired": [FP8]}))
        for _ in range(CONFIRMATIONS):
            await worker.ask("hi")
        assert f'gateway_model_retired{{model="{FP8}"}} 1.0' in told(worker)
    async with running_worker(store_url) as worker:
        for _ in range(FAILURES):
            await worker.ask("hi [[sim: error=500]]")
        text = told(worker)
        assert f'gateway_breaker_workers{{model="{FP8}",state="open"}} 1.0' in text
        assert f'gateway_model_retired{{model="{FP8}"}} 0.0' in text


@on_loop
async def test_report_tells_how_much_of_limits_is_used(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        body = {"limits": [{"kind": "requests", "window": "day", "limit": 4}]}
        await worker.admin("POST", f"/projects/{worker.project}/limits", json=body)
        await worker.admin("POST", "/limits", json={"limits": [{"kind": "tokens", "window": "total", "limit": 10**6}]})
        await worker.ask("hi")
        await worker.rows(1)
        await worker.app._reporter._report_limits()
        text = told(worker)
        label = f'kind="requests",project="{worker.project}",scope="project",window="day"'
        assert f"gateway_limit_used_ratio{{{label}}} 0.25" in text
        assert 'gateway_limit_used_ratio{kind="tokens",project="",scope="organization",window="total"} ' in text


@on_loop
async def test_refusals_are_counted_by_what_was_said(store_url: str) -> None:
    async with running_worker(store_url) as worker:
        await worker.request(
            "POST", "/v1/chat/completions", headers={"authorization": "Bearer sk-nobody"}, content="{}"
        )
        await worker.ask("hi", model="nothing-like-it")
        body = {"limits": [{"kind": "requests", "window": "day", "limit": 0}]}
        await worker.admin("POST", f"/projects/{worker.project}/limits", json=body)
        await worker.ask("hi")
        text = told(worker)
        assert 'gateway_errors_total{status="401",type="invalid_request_error"} 1.0' in text
        assert 'gateway_errors_total{status="404",type="invalid_request_error"} 1.0' in text
        assert 'gateway_refusals_total{kind="requests",scope="project"} 1.0' in text
