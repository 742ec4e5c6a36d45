"""`gateway export` as a subprocess against a served admin API."""

import csv
import io
import json
from pathlib import Path

import pytest
from support.admin_gateway import AdminGateway
from support.command_line import Command

DAY_MS = 1_767_225_600_000  # 2026-01-01
RANGE = ("--since", "2026-01-01", "--until", "2026-01-02")


def _fill(gateway: AdminGateway, count: int) -> list[str]:
    rows = [gateway.add_row(created_ms=DAY_MS + number * 1000, tags={"n": f'"{number}",'}) for number in range(count)]
    return [row.id for row in reversed(rows)]


def test_export_jsonl_writes_every_row_newest_first(command: Command, gateway: AdminGateway) -> None:
    ids = _fill(gateway, 5)
    gateway.add_row(created_ms=DAY_MS - 1)
    gateway.add_row(created_ms=DAY_MS + 2 * 86_400_000)
    result = command("export", *RANGE)
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ids
    assert "5 rows exported." in result.stderr


@pytest.mark.parametrize("form", ["csv", "focus"])
def test_export_tables_have_a_heading_and_a_line_per_row(command: Command, gateway: AdminGateway, form: str) -> None:
    ids = _fill(gateway, 3)
    result = command("export", *RANGE, "--format", form)
    assert result.returncode == 0, result.stderr
    found = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [each["id" if form == "csv" else "x_RequestId"] for each in found] == ids
    assert json.loads(found[0]["tags" if form == "csv" else "Tags"]) == {"n": '"2",'}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_export_cut_short_goes_on_where_it_stood(
    command: Command, gateway: AdminGateway, tmp_path: Path, form: str
) -> None:
    ids = _fill(gateway, 1005)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert command("export", *RANGE, "--format", form, "-o", str(whole)).returncode == 0
    assert not (tmp_path / "whole.part").exists()
    lines = whole.read_bytes().splitlines(keepends=True)
    first = 1000 + (form == "csv")
    size = sum(map(len, lines[:first]))
    last = json.loads(command("ledger", "show", ids[999], "--json").stdout)
    state = {
        "since": DAY_MS // 1000, "until": DAY_MS // 1000 + 2 * 86_400, "form": form, "account": "workers-ai",
        "page": f"{last['created_ms']}_{last['id']}", "size": size,
    }  # fmt: skip
    (tmp_path / "cut.part").write_text(json.dumps(state))
    cut.write_bytes(b"".join(lines[: first + 2]) + b"torn")
    result = command("export", *RANGE, "--format", form, "-o", str(cut), "--resume")
    assert result.returncode == 0, result.stderr
    assert cut.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "cut.part").exists()


def test_export_refuses_to_overwrite_or_to_go_on_with_nothing(command: Command, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    refused = command("export", *RANGE, "-o", str(there))
    assert (refused.returncode, there.read_text()) == (2, "mine")
    assert "is complete" in command("export", *RANGE, "-o", str(there), "--resume").stderr
    assert command("export", "--resume").returncode == 2
    assert command("export", "--until", "soon").returncode == 2
