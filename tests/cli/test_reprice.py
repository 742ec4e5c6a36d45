"""`gateway usage --reprice` against a served admin API."""

import json
from pathlib import Path

from support.admin_gateway import AdminGateway
from support.command_line import Command

from gateway.core.receipt import Attempt

MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"
DAY_MS = 1_767_225_600_000  # 2026-01-01

PRICES = f"""
models:
  "{MODEL}":
    prices:
      - {{from: 2025-01-01, source: a, input_usd_per_mtok: 1, output_usd_per_mtok: 2, cached_usd_per_mtok: 0.5}}
      - {{from: 2026-01-02, source: b, input_usd_per_mtok: 10, output_usd_per_mtok: 20}}
"""


def test_usage_reprice_prices_every_attempt_by_its_day(command: Command, gateway: AdminGateway, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(PRICES)
    two = [Attempt(MODEL, "stop", 100, 20, 40, cost_nano=5), Attempt(MODEL, "stop", 10, 0, cost_nano=5)]
    gateway.add_row(created_ms=DAY_MS, attempts=two, cost_nano=10)
    gateway.add_row(created_ms=DAY_MS + 86_400_000, attempts=two[1:], cost_nano=5)
    gateway.add_row(
        created_ms=DAY_MS + 86_400_000, attempts=[Attempt("@cf/gone", "stop", 9, 9, cost_nano=7)], cost_nano=7
    )
    result = command("usage", "--since", "2026-01-01", "--reprice", str(file), "--json")
    assert result.returncode == 0, result.stderr
    first, second = json.loads(result.stdout)
    # 60 × 1 + 40 × 0.5 + 20 × 2 + 10 × 1 and 10 × 10 micro-dollars; the model that is gone keeps its 7 nano-dollars
    assert (first["label"], first["cost_usd"], first["repriced_usd"]) == ("2026-01-01", "0.00000001", "0.00013")
    assert (second["requests"], second["repriced_usd"]) == ("2", "0.000100007")
    assert "@cf/gone" in result.stderr
    table = command("usage", "--since", "2026-01-01", "--by", "model", "--reprice", str(file)).stdout
    assert "TOTAL" in table
    assert "0.000230007" in table


def test_usage_reprice_bad_file_is_refused(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("models: {x: {prices: 1}}")
    assert command("usage", "--reprice", str(file)).returncode == 2
