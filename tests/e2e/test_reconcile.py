"""Ours against theirs, and a spool from another machine: the commands over the real product and the simulator."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.command_line import run_gateway
from support.gateway import ADMIN_KEY, gateway, simulator
from support.ledgers import make_identity, make_receipt, make_request

from gateway.ledger.entries import Settle, encode_entry
from gateway.ledger.spool import create_spool


@pytest.mark.usefixtures("one_day")
def test_reconcile_and_spool_replay(tmp_path: Path) -> None:
    with simulator() as upstream, gateway(tmp_path, upstream) as product:
        environ = {"GATEWAY_URL": product.origin, "GATEWAY_ADMIN_KEY": ADMIN_KEY}
        for number in range(3):
            answer = product.chat(
                {"model": "auto", "stream": number == 0, "messages": [{"role": "user", "content": "Hi"}]}
            )
            product.row(answer.headers["x-request-id"])
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        asked = ("reconcile", "--day", today, "--config", str(product.config))
        found = run_gateway(tmp_path, (*asked, "--json"), environ, "")
        assert found.returncode == 0, found.stderr
        (line,) = json.loads(found.stdout)
        assert line["ours"] > 0
        assert abs(line["difference"]) < 1e-6
        assert abs(line["captured_percent"] - 100) < 1e-3
        kept = product.admin("GET", "/reconciliation")
        assert abs(kept["captured"] - 1) < 1e-5
        assert abs(kept["ours"] - line["ours"]) < 1e-8
        assert "TOTAL" in run_gateway(tmp_path, asked, environ, "").stdout

        elsewhere = create_spool(tmp_path / "elsewhere")
        receipt = make_receipt(make_request(make_identity(), "req_lost"), int(datetime.now(UTC).timestamp()) * 1000)
        elsewhere.append(encode_entry(Settle(receipt)))
        owned = run_gateway(tmp_path, ("spool", "replay", str(elsewhere.path)), {}, "")
        assert owned.returncode == 1
        elsewhere.close()
        replayed = run_gateway(tmp_path, ("spool", "replay", str(elsewhere.path), "--into", str(product.data)), {}, "")
        assert replayed.returncode == 0, replayed.stderr
        assert product.row("req_lost", seconds=30)["cost_nano"] == receipt.cost_nano
        status = json.loads(run_gateway(tmp_path, ("spool", "status", str(product.data), "--json"), {}, "").stdout)
        assert sum(each["entries"] for each in status) >= 1
        verified = run_gateway(tmp_path, ("verify",), environ, "")
        assert verified.returncode == 0, verified.stdout


def test_reconcile_without_credentials_stops_before_it_asks_anybody(tmp_path: Path) -> None:
    refused = run_gateway(tmp_path, ("reconcile",), {"HTTPS_PROXY": "http://127.0.0.1:1"}, "")
    assert (refused.returncode, "no Cloudflare credentials" in refused.stderr) == (2, True), refused.stderr
    assert "CLOUDFLARE_API_TOKEN" in refused.stderr
