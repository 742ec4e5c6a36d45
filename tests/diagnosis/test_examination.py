"""The whole examination: of nothing but a configuration, and of a gateway that runs."""

from dataclasses import replace
from pathlib import Path

from support.gateway import GatewayProcess, gateway, simulator

from gateway.config.load import load
from gateway.config.settings import Settings
from gateway.diagnosis.examination import examine
from gateway.diagnosis.finding import Finding


def _findings(settings: Settings, *, offline: bool = True) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(settings, offline=offline)}


def _settings_of(process: GatewayProcess) -> Settings:
    return load(process.config.read_text(encoding="utf-8"), {}, process.folder, demo=False)


def test_examination_without_credentials_names_both_variables(tmp_path: Path) -> None:
    found = _findings(load("", {}, tmp_path, demo=False))["credentials"]
    assert found.verdict == "problem"
    assert "CLOUDFLARE_ACCOUNT_ID" in found.fix
    assert "CLOUDFLARE_API_TOKEN" in found.fix


def test_examination_of_an_open_listener_warns(tmp_path: Path) -> None:
    found = _findings(load("server: {host: 0.0.0.0}", {}, tmp_path, demo=True))
    assert found["listener"].verdict == "warning"
    assert found["credentials"].verdict == "ok"


def test_examination_of_a_running_gateway_reaches_its_store_its_account_and_itself(tmp_path: Path) -> None:
    with simulator() as upstream, gateway(tmp_path, upstream) as running:
        settings = _settings_of(running)
        found = _findings(settings, offline=False)
        wrong = replace(settings, upstream=replace(settings.upstream, api_token="canary"))
        refused = _findings(wrong, offline=False)["credentials"]
    problems = [finding for finding in found.values() if finding.verdict == "problem"]
    assert problems == []
    for check in ("running gateway", "store version", "store persistence", "store latency", "clock", "credentials"):
        assert found[check].verdict == "ok", found[check]
    assert refused.verdict == "problem"
    assert "canary" not in repr(refused)
