"""Alerts of the real product: two replicas on one store spend a budget; the webhook hears of each threshold once."""

import json
from pathlib import Path

import openai
from support.gateway import GatewayProcess, gateway
from support.receiver import Receiver, receiver
from support.running import free_port, wait_until
from support.valkey import throw_away_store

from gateway.simulator import Simulator

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def percents(server: Receiver) -> list[int | None]:
    """What was told, every delivery verified as a receiver would."""
    client = openai.OpenAI(api_key="unused", webhook_secret=SECRET)
    told = []
    for _, headers, body in server.received:
        client.webhooks.verify_signature(body, headers)
        told.append(json.loads(body)["data"].get("percent"))
    return told


def spend(process: GatewayProcess, project: str, key: str, share: float) -> None:
    """Ask until this share of the project's budget is used, or a request is refused."""
    while process.chat({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}, key).status_code == 200:
        limit = process.admin("GET", f"/projects/{project}/spend_limit")
        if float(limit["used_amount"]) >= share * float(limit["threshold_amount"]):
            return


def is_told_of_the_end(process: GatewayProcess, project: str, key: str, server: Receiver) -> bool:
    """Whether all thresholds are told; clients go on asking meanwhile."""
    spend(process, project, key, 2.0)
    return percents(server) == [50, 80, 100]


def test_alerts_are_told_once_by_two_replicas_and_survive_the_one_that_raised_them(
    upstream: Simulator, tmp_path: Path
) -> None:
    port = free_port()
    extra = f"alerts: {{webhook_url: 'http://127.0.0.1:{port}/hook', webhook_secret: '{SECRET}'}}"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with throw_away_store() as store, gateway(tmp_path / "a", upstream, store.url, extra) as first:
        project, key = first.make_key("spender", limit_cents=None)
        limit = {"threshold_amount": 0.12, "currency": "USD", "interval": "month"}
        first.admin("POST", f"/projects/{project}/spend_limit", json=limit)
        with gateway(tmp_path / "b", upstream, store.url, extra) as second:
            spend(first, project, key, 0.55)
            wait_until(lambda: len(first.admin("GET", "/alerts")["data"]) == 1, "50 % is raised")
            first.kill()  # nobody has taken it yet: the webhook is not there
            with receiver(port) as server:
                wait_until(lambda: percents(server) == [50], "the other replica delivers it")
                wait_until(lambda: is_told_of_the_end(second, project, key, server), "80 % and the end are told")
                raised = second.admin("GET", "/alerts")["data"]
                assert [each["data"]["percent"] for each in raised] == [100, 80, 50]
                assert second.admin("POST", "/alerts/test", json={})["type"] == "alert.test"
                wait_until(lambda: percents(server)[-1] is None, "the test arrives")
                assert len(set(percents(server))) == len(percents(server))
                assert "budget alert: project spender" in first.log.read_text() + second.log.read_text()
