"""`gateway check`, `gateway config show` and `gateway models`, run for real."""

import json
from pathlib import Path

from support.command_line import ROOT, Command


def test_models_marks_what_is_not_certain(bare: Command) -> None:
    lines = {line["id"]: line for line in json.loads(bare("models", "--json").stdout)}
    assert len(lines) == 5
    assert lines["@cf/meta/llama-3.1-8b-instruct-fp8"]["remarks"] == []
    assert lines["@cf/meta/llama-3.1-8b-instruct"]["window_tokens"] == 16_000
    assert "price disputed" in lines["@cf/meta/llama-3.1-8b-instruct"]["remarks"]
    assert "window inferred" in lines["@cf/meta/llama-3.1-8b-instruct-fp8-fast"]["remarks"]
    table = bare("models").stdout
    assert "price disputed" in table
    assert "route auto" in table


def test_check_example_is_valid(bare: Command) -> None:
    checked = bare("check", str(ROOT / "config.example.yaml"))
    assert checked.returncode == 0, checked.stderr
    assert "is valid: 5 models" in checked.stderr


def test_check_mistakes_are_listed_with_lines_and_exit_2(bare: Command, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("server:\n  prt: 1\n  workers: none\n")
    checked = bare("check", str(file))
    assert checked.returncode == 2
    assert "line 2" in checked.stderr
    assert "line 3" in checked.stderr
    assert "Traceback" not in checked.stderr
    assert bare("models").returncode == 2  # ./config.yaml is what it would use


def test_check_missing_or_unreadable_file_exits_2(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("nope.yaml", "binary", "."):
        checked = bare("check", name)
        assert checked.returncode == 2
        assert "Traceback" not in checked.stderr


def test_config_show_names_where_each_value_comes_from_and_hides_secrets(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "server: {port: 9000}\nstore: {url: 'redis://u:canary@s:1/0'}\nadmin_key: ${CANARY}\n"
    )
    environ = {"CLOUDFLARE_ACCOUNT_ID": "a", "CLOUDFLARE_API_TOKEN": "canary-token"}
    shown = bare("config", "show", environ={**environ, "CANARY": "canary-admin-key"})
    assert shown.returncode == 0, shown.stderr
    assert "server.port" in shown.stdout
    assert "line 1" in shown.stdout
    assert "canary" not in shown.stdout + shown.stderr
    lines = json.loads(bare("config", "show", "--json", environ={**environ, "CANARY": "canary-admin-key"}).stdout)
    values = {line["key"]: line for line in lines}
    assert values["server.port"] == {"key": "server.port", "value": 9000, "line": 1, "variables": []}
    assert values["upstream.api_token"]["value"] == "***"
    assert values["admin_key"] == {"key": "admin_key", "value": "***", "line": 3, "variables": ["CANARY"]}


def test_config_show_invalid_file_exits_2(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("prt: 1\n")
    assert bare("config", "show").returncode == 2


def test_check_prints_mistakes_as_json(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("server:\n  prot: 1\n")
    told = bare("check", "bad.yaml", "--json")
    assert told.returncode == 2
    assert json.loads(told.stdout) == {
        "valid": False,
        "problems": [{"path": "server.prot", "line": 2, "message": "unknown key", "suggestion": "did you mean port?"}],
        "notes": [],
    }
    (tmp_path / "good.yaml").write_text("")
    assert json.loads(bare("check", "good.yaml", "--json").stdout)["valid"]
