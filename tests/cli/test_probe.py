"""`gateway probe`, run for real against the simulator."""

import json
from pathlib import Path

from support.command_line import Command
from support.gateway import simulator

from gateway.simulator import SimulatorOptions

TOKEN = "canary-token-canary-token"
FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"


def test_probe_writes_a_line_per_answer_and_never_the_token(bare: Command, tmp_path: Path) -> None:
    with simulator(SimulatorOptions(api_token=TOKEN)) as upstream:
        (tmp_path / "config.yaml").write_text(f"upstream: {{base_url: '{upstream.base_url}'}}\n")
        environ = {"CLOUDFLARE_ACCOUNT_ID": upstream.account_id, "CLOUDFLARE_API_TOKEN": TOKEN}
        asked = bare("probe", "--model", "llama-3.1-8b-instruct-fp8", "--output", "answers.jsonl", environ=environ)
        again = bare("probe", "--output", "answers.jsonl", environ=environ)
        people = bare("probe", "--model", FP8, "--output", "answers.md", environ=environ)
    assert asked.returncode == 0, asked.stderr
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert {line["model"] for line in lines} >= {FP8}
    assert len(lines) > 10
    assert again.returncode == 2  # what was recorded is never overwritten
    assert people.returncode == 0
    assert "## stream" in (tmp_path / "answers.md").read_text()
    told = "".join((each.stdout + each.stderr) for each in (asked, again, people))
    assert TOKEN not in told + (tmp_path / "answers.jsonl").read_text() + (tmp_path / "answers.md").read_text()


def test_probe_without_credentials_exits_2(bare: Command) -> None:
    assert bare("probe").returncode == 2


def test_probe_of_an_unknown_model_exits_2(bare: Command) -> None:
    environ = {"CLOUDFLARE_ACCOUNT_ID": "a", "CLOUDFLARE_API_TOKEN": TOKEN}
    assert bare("probe", "--model", "gpt-9", environ=environ).returncode == 2


def test_probe_refused_everywhere_exits_1(bare: Command, tmp_path: Path) -> None:
    with simulator() as upstream:
        (tmp_path / "config.yaml").write_text(f"upstream: {{base_url: '{upstream.base_url}'}}\n")
        environ = {"CLOUDFLARE_ACCOUNT_ID": upstream.account_id, "CLOUDFLARE_API_TOKEN": TOKEN}
        asked = bare("probe", "--model", FP8, environ=environ)
    assert asked.returncode == 1
    assert "gateway doctor" in asked.stderr
