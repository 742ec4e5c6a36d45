"""Alerts and dashboards, against a real Prometheus that scraped a real gateway during scripted traffic.

Each alert also fires, and keeps quiet, in promtool's own rule tests (deploy/prometheus/alerts.test.yml).
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from support.gateway import ADMIN_KEY, GatewayProcess, gateway, simulator
from support.prometheus import MONITORING, Prometheus, prometheus, promtool
from support.running import ROOT, free_port

GRAFANA = ROOT / "deploy" / "grafana"
RULES = [rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
BOARDS = {file.stem: json.loads(file.read_text()) for file in sorted((GRAFANA / "dashboards").glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]
# What Grafana fills in: every project and model, a range and a step that fit the scripted minute.
VARIABLES = {"$project": ".*", "$model": ".*", "$__range": "1m", "$__rate_interval": "30s"}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen a gateway before, during and after traffic of every kind the dashboards show."""
    folder: Path = tmp_path_factory.mktemp("monitoring")
    port = free_port()
    with (
        simulator() as upstream,
        gateway(folder, upstream, metrics=f"127.0.0.1:{port}") as product,
        prometheus(folder, f"127.0.0.1:{port}") as server,
    ):
        server.wait_for("gateway_attempts_total")
        product.chat(asking("Count to 30", stream=True))
        server.wait_for("gen_ai_server_time_to_first_token_seconds_count")  # from here on it can rise
        play(product)
        server.wait_for("sum(gateway_requests_total) >= 9")
        server.wait_for('gateway_refusals_total{scope="project"} > 0')
        server.wait_for("sum(increase(gen_ai_server_time_to_first_token_seconds_count[30s])) > 0")
        server.wait_for("gateway_limit_used_ratio > 0")
        yield server


def play(product: GatewayProcess) -> None:
    """Answers whole and streamed, a budget that is used up, failures, a wrong key, a wrong admin key."""
    for number in range(6):
        assert product.chat(asking("Count to 30", stream=number % 2 == 0)).status_code == 200
    for _ in range(2):
        product.chat(asking("hi [[sim: error=10000 status=401]]", model="@cf/meta/llama-3.1-8b-instruct-fp8"))
    project, key = product.make_key("poor")
    limits = {"limits": [{"kind": "requests", "window": "total", "limit": 1}]}
    product.admin("POST", f"/projects/{project}/limits", json=limits)
    assert [product.chat(asking("hi"), key).status_code for _ in range(2)] == [200, 429]
    assert product.chat(asking("hi"), "sk-nobody").status_code == 401
    httpx2.get(f"{product.base_url}/organization/projects", headers={"authorization": "Bearer x"}, trust_env=False)
    product.chat(asking("hi [[sim: error=3036]]", model="@cf/meta/llama-3.1-8b-instruct-fp8"))


def asking(text: str, model: str = "auto", **fields: Any) -> dict[str, Any]:  # any field of a request
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def selectors(expression: str) -> list[str]:
    """The metrics an expression asks for."""
    return re.findall(r"\b(?:up|(?:gateway|gen_ai)_[a-z_]+)\b(?=[{\[\s)]|$)", re.sub(r"by \([^)]*\)", "", expression))


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_shows_something(scraped: Prometheus, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        found = scraped.query(filled(target["expr"]))
        assert found, target["expr"]
        for name in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            assert name in found[0]["metric"], (target["legendFormat"], found[0])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_rule_is_about_series_that_exist(scraped: Prometheus, rule: dict[str, Any]) -> None:
    scraped.query(rule["expr"])
    named = selectors(rule["expr"])
    assert named
    for metric in named:
        assert scraped.query(metric), metric


def test_rules_are_evaluated_without_an_error(scraped: Prometheus) -> None:
    rules = [rule for group in scraped.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in RULES}
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] == "err"} == {}


def test_refused_credentials_raise_their_alert(scraped: Prometheus) -> None:
    scraped.wait_for('ALERTS{alertname="GatewayCredentialsRefused", alertstate="firing"}')


def test_quota_that_is_gone_raises_its_alert(scraped: Prometheus) -> None:
    scraped.wait_for('ALERTS{alertname="GatewayQuotaGone", alertstate="firing"}')


def test_promtool_finds_nothing_to_say_about_the_metrics(scraped: Prometheus) -> None:
    [target] = scraped.get("targets")["activeTargets"]
    text = httpx2.get(target["scrapeUrl"], trust_env=False).text
    checked = promtool("check", "metrics", given=text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert ADMIN_KEY not in text


def test_promtool_accepts_configuration_and_rules() -> None:
    checked = promtool("check", "config", "prometheus.yml")
    assert checked.returncode == 0, checked.stderr


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    checked = promtool("test", "rules", "alerts.test.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = yaml.safe_load((MONITORING / "alerts.test.yml").read_text())["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    names = {rule["alert"] for rule in RULES}
    assert {check["alertname"] for check in checks if check["exp_alerts"]} == names
    assert {check["alertname"] for check in checks if not check["exp_alerts"]} == names


def test_every_alert_has_its_line_in_the_runbook_and_no_other() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `Gateway")]
    assert {row.split("`")[1] for row in rows} == {rule["alert"] for rule in RULES}
    assert [row for row in rows if row.count(" | ") != 3] == []  # alert, meaning, first look, fix


def test_dashboards_use_the_provisioned_source_and_do_not_overlap() -> None:
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert {name: board["uid"] for name, board in BOARDS.items()} == {
        "cost": "gateway-cost",
        "operations": "gateway-operations",
    }
    for board in BOARDS.values():
        taken: set[tuple[int, int]] = set()
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + column, place["y"] + line) for column in range(place["w"]) for line in range(place["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(column for column, _ in cells) < 24
            taken |= cells
            used = [panel.get("datasource"), *(target["datasource"] for target in panel.get("targets", []))]
            assert all(each is None or each["uid"] == source["uid"] for each in used)


def test_compose_mounts_what_is_provisioned() -> None:
    file = ROOT / "deploy" / "compose" / "compose.yaml"
    services = yaml.safe_load(file.read_text())["services"]
    mounts = [volume.split(":")[:2] for name in ("prometheus", "grafana") for volume in services[name]["volumes"]]
    folders = {inside: (file.parent / outside).resolve() for outside, inside in mounts if outside.startswith(".")}
    assert folders["/etc/prometheus"] == MONITORING
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/gateway.yaml").read_text())["providers"]
    assert folders[provider["options"]["path"]] == GRAFANA / "dashboards"
    assert folders["/etc/grafana/provisioning"] == GRAFANA / "provisioning"
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [job] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["gateway:9464"]}]
