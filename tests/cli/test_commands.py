"""Commands that administer a gateway, run for real against a served admin API and checked through the official SDK."""

import csv
import io
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import openai
import pytest
from support.admin_gateway import ADMIN_KEY, AdminGateway
from support.command_line import Command

from gateway import __version__

FAST = "@cf/meta/llama-3.1-8b-instruct-fast"


def table(text: str) -> list[list[str]]:
    """Cells of a piped table: columns are two blanks or more apart."""
    return [[cell.strip() for cell in line.split("  ") if cell] for line in text.splitlines()]


def test_projects_create_list_archive(command: Command, client: openai.OpenAI) -> None:
    made = command("projects", "create", "Team [A]")
    assert made.returncode == 0, made.stderr
    project_id = made.stdout.strip()
    assert client.admin.organization.projects.retrieve(project_id).name == "Team [A]"
    heading, line = table(command("projects", "list").stdout)
    assert heading == ["ID", "NAME", "STATUS", "CREATED (UTC)"]
    assert line[:3] == [project_id, "Team [A]", "active"]
    refused = command("projects", "archive", "Team [A]", answer="n\n")
    assert refused.returncode == 1
    assert client.admin.organization.projects.retrieve(project_id).status == "active"
    assert command("projects", "archive", "Team [A]", "--yes").returncode == 0
    assert client.admin.organization.projects.retrieve(project_id).status == "archived"
    assert json.loads(command("projects", "list", "--json").stdout) == []
    (listed,) = json.loads(command("projects", "list", "--archived", "--json").stdout)
    assert (listed["id"], listed["status"]) == (project_id, "archived")


def test_keys_create_list_revoke(command: Command, client: openai.OpenAI) -> None:
    project = client.admin.organization.projects.create(name="team")
    made = command("keys", "create", "--project", "team", "--name", "bot", "--expires-days", "30")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("sk-")
    assert secret not in made.stderr
    (key,) = client.admin.organization.projects.api_keys.list(project.id)
    assert key.expires_at == key.created_at + 30 * 86400
    listed = command("keys", "list")
    assert secret not in listed.stdout
    assert table(listed.stdout)[1][:4] == [key.id, "bot", f"sk-…{secret[-4:]}", "team"]
    refused = command("keys", "revoke", key.id, answer="\n")
    assert refused.returncode == 1
    assert "Revoke key bot" in refused.stderr
    revoked = command("keys", "revoke", key.id, "--yes", "--json")
    assert json.loads(revoked.stdout) == {
        "id": key.id, "object": "organization.project.api_key.deleted", "deleted": True
    }  # fmt: skip
    assert list(client.admin.organization.projects.api_keys.list(project.id)) == []
    assert json.loads(command("keys", "list", "--project", project.id, "--json").stdout) == []
    assert "revoked" in command("keys", "list", "--revoked").stdout
    again = command("keys", "revoke", key.id, "--yes")
    assert again.returncode == 1
    assert "gateway keys list" in again.stderr


def test_keys_create_json_is_the_api_answer(command: Command, client: openai.OpenAI) -> None:
    client.admin.organization.projects.create(name="team")
    answer = json.loads(command("keys", "create", "--project", "team", "--name", "bot", "--json").stdout)
    assert answer["object"] == "organization.project.service_account"
    assert answer["api_key"]["value"].startswith("sk-")


def test_limits_set_show_remove(command: Command, client: openai.OpenAI) -> None:
    project = client.admin.organization.projects.create(name="team")
    assert command("limits", "set", "--project", "team", "--usd", "0.0005").returncode == 0
    assert command("limits", "set", "--usd", "$25").returncode == 0
    limit = client.admin.organization.projects.spend_limit.retrieve(project.id)
    assert float(limit.threshold_amount) == 0.05
    assert client.admin.organization.spend_limit.retrieve().threshold_amount == 2500
    rows = table(command("limits", "show").stdout)
    assert rows[1:] == [
        ["organization", "25.00", "0.00", "25.00", "month", "open"],
        ["team", "0.0005", "0.00", "0.0005", "month", "open"],
    ]
    assert command("limits", "remove", "--project", "team", answer="y\n").returncode == 0
    assert list(json.loads(command("limits", "show", "--json").stdout)) == ["organization"]
    assert command("limits", "remove", "--yes").returncode == 0
    empty = command("limits", "show")
    assert "No spend limit is set" in empty.stderr


def test_limits_set_and_show_every_kind_of_a_key_and_a_project(command: Command, client: openai.OpenAI) -> None:
    project = client.admin.organization.projects.create(name="team")
    made = client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    assert made.api_key is not None
    key = made.api_key.id
    set_key = command(
        "limits", "set", "--key", key, "--usd", "5", "--limit", "requests/minute=60", "--limit", "tokens/day=9"
    )
    assert set_key.returncode == 0, set_key.stderr
    removed = command("limits", "set", "--key", key, "--project", "team", "--limit", "tokens/day=none")
    assert [row[:5] for row in table(removed.stdout)[1:]] == [
        ["key", "requests", "minute", "60", "0"],
        ["key", "money", "month", "5.00", "0.00"],
    ]
    assert table(command("limits", "show", "--key", key).stdout) == table(removed.stdout)
    both = command("limits", "set", "--project", "team", "--usd", "7", "--limit", "concurrency=4")
    assert both.returncode == 0, both.stderr
    shown = json.loads(command("limits", "show", "--project", "team", "--every-kind", "--json").stdout)["data"]
    assert [(each["kind"], each["window"], each["limit"]) for each in shown] == [
        ("money", "month", 7 * 10**9),
        ("concurrency", "now", 4),
    ]
    assert command("limits", "set", "--usd", "1/total", "--json").returncode == 0
    assert command("limits", "show", "--key", "key_nobody").returncode == 1


@pytest.mark.parametrize("given", [[], ["--limit", "rpm"], ["--limit", "requests/minute=many"], ["--limit", "=5"]])
def test_limits_set_without_a_limit_is_usage_error(command: Command, given: list[str]) -> None:
    assert command("limits", "set", *given).returncode == 2


@pytest.mark.parametrize("amount", ["ten", "", "NaN", "Infinity"])
def test_limits_set_no_amount_is_usage_error(command: Command, amount: str) -> None:
    assert command("limits", "set", "--usd", amount).returncode == 2


@pytest.fixture
def used(gateway: AdminGateway, client: openai.OpenAI, one_day: None) -> dict[str, str]:
    """Two projects with keys and rows of today and the day before yesterday; ids by name."""
    now_ms = int(time.time() * 1000)
    ids: dict[str, str] = {}
    for name, cost, model in (("one", 60_000_000, FAST), ("two", 484, "m")):
        project = client.admin.organization.projects.create(name=name)
        account = client.admin.organization.projects.service_accounts.create(project.id, name=f"{name}-bot")
        assert account.api_key is not None
        ids |= {name: project.id, f"{name}-key": account.api_key.id}
        for days in (0, 2):
            row = gateway.add_row(
                created_ms=now_ms - days * 86_400_000, project_id=project.id, api_key_id=account.api_key.id,
                model=model, cost_nano=cost,
            )  # fmt: skip
            ids[f"{name}-{days}"] = row.id
    return ids


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("project", {("one", "2", "0.12"), ("two", "2", "0.000000968")}),
        ("key", {("one-bot", "2", "0.12"), ("two-bot", "2", "0.000000968")}),
        ("model", {(FAST, "2", "0.12"), ("m", "2", "0.000000968")}),
    ],
)
def test_usage_by_dimension_in_every_format(
    command: Command, used: dict[str, str], by: str, expected: set[tuple[str, str, str]]
) -> None:
    printed = command("usage", "--by", by, "--format", "csv")
    assert printed.returncode == 0, printed.stderr
    lines = list(csv.DictReader(io.StringIO(printed.stdout)))
    assert {(line[by], line["requests"], line["cost_usd"]) for line in lines} == expected
    text = command("usage", "--by", by, "--json").stdout
    assert '"cost_usd": 0.000000968' in text
    assert {line["input_tokens"] for line in json.loads(text)} == {200}
    total = command("usage", "--by", by).stdout.splitlines()[-1].split()
    assert total == ["TOTAL", "4", "0", "400", "80", "0.120000968", "7.60", "0.0000836", "0.119917368"]


def test_usage_by_day_has_the_neurons_cost_and_what_the_price_book_charges_less(
    command: Command, used: dict[str, str]
) -> None:
    today = json.loads(command("usage", "--json").stdout)[-1]
    assert (today["neurons"], today["neurons_usd"]) == (3.8, 0.0000418)
    assert today["difference_usd"] == 0.059958684
    printed = command("usage", "--format", "csv")
    assert "Today (UTC): 4 neurons of 10000 free ones, 0.00 USD beyond them." in printed.stderr
    two = next(
        line
        for line in csv.DictReader(io.StringIO(command("usage", "--by", "model", "--format", "csv").stdout))
        if line["model"] == "m"
    )
    assert two["difference_usd"] == "-0.000040832"


@pytest.mark.usefixtures("one_day")
def test_usage_by_tag_splits_by_its_values(command: Command, gateway: AdminGateway) -> None:
    now = int(time.time())
    hour, day = now - now % 3600, now - now % 86_400
    table = gateway.layout.shared("use", "t", day)
    gateway.redis.hset(table, f"{hour}|p|m|team=red", "3 30 5 0 70 1000 0 1")
    gateway.redis.hset(table, f"{hour}|p|m|team=blue", "1 10 5 0 20 1000 0 0")
    gateway.redis.hset(table, f"{hour}|p|m|feature=x", "9 10 5 0 20 1000 0 0")
    lines = json.loads(command("usage", "--by", "tag:team", "--json").stdout)
    assert [(line["tag"], line["requests"], line["gone"]) for line in lines] == [("blue", 1, 0), ("red", 3, 1)]
    assert json.loads(command("usage", "--by", "tag:none", "--json").stdout) == []
    for wrong in ("tag", "tag:", "day:x", "colour"):
        refused = command("usage", "--by", wrong)
        assert refused.returncode == 2
        assert "tag:NAME" in refused.stderr


def test_usage_by_day_lists_idle_days_from_the_first_use_on(command: Command, used: dict[str, str]) -> None:
    lines = json.loads(command("usage", "--since", "3d", "--json").stdout)
    assert [line["requests"] for line in lines] == [2, 0, 2]
    assert lines[-1]["day"] == datetime.now(UTC).strftime("%Y-%m-%d")
    for since in ("7d", "9999d"):
        assert json.loads(command("usage", "--since", since, "--json").stdout) == lines


def test_usage_by_day_of_nothing_is_a_line_for_today(command: Command) -> None:
    (line,) = json.loads(command("usage", "--json").stdout)
    assert (line["requests"], line["day"]) == (0, datetime.now(UTC).strftime("%Y-%m-%d"))


def test_since_is_read_alike_by_every_command(command: Command, used: dict[str, str]) -> None:
    """Two requests are of now, two of the day before yesterday."""
    hour = json.loads(command("usage", "--by", "model", "--since", "60m", "--json").stdout)
    assert sum(line["requests"] for line in hour) == 2
    for since, count in (("yesterday", 2), ("2020-01-01T00:00:00Z", 4)):
        assert len(json.loads(command("ledger", "list", "--since", since, "--json").stdout)) == count
    assert len(command("export", "--since", "3d", "--until", "yesterday").stdout.splitlines()) == 2
    assert command("audit", "--since", "90m").returncode == 0
    assert command("verify", "--since", "today").returncode in (0, 1)


def test_usage_bad_since_is_usage_error(command: Command) -> None:
    refused = command("usage", "--since", "tomorrow")
    assert refused.returncode == 2
    assert "2026-11-01" in refused.stderr


def test_ledger_list_and_show(command: Command, used: dict[str, str]) -> None:
    rows = json.loads(command("ledger", "list", "--json").stdout)
    assert {row["id"] for row in rows} == {used[name] for name in ("one-0", "one-2", "two-0", "two-2")}
    assert rows == sorted(rows, key=lambda row: row["created_ms"], reverse=True)
    assert len(json.loads(command("ledger", "list", "--limit", "3", "--json").stdout)) == 3
    filtered = command("ledger", "list", "--project", "one", "--since", "1d", "--key", used["one-key"], "--json")
    assert [row["id"] for row in json.loads(filtered.stdout)] == [used["one-0"]]
    named = command("ledger", "list", "--since", "1d", "--key", "one-bot", "--json")
    assert named.stdout == filtered.stdout
    assert "no key 'nobody'" in command("ledger", "list", "--key", "nobody").stderr
    assert used["two-0"] in command("ledger", "list").stdout
    shown = command("ledger", "show", used["two-0"])
    assert "0.000000484 USD" in shown.stdout
    assert "auto (cheapest)" in shown.stdout
    missing = command("ledger", "show", "req_nope")
    assert (missing.returncode, "No such row" in missing.stderr) == (1, True)


def test_command_unknown_project_says_how_to_find_one(command: Command) -> None:
    refused = command("keys", "create", "--project", "nope", "--name", "x")
    assert refused.returncode == 1
    assert "gateway projects list" in refused.stderr


def test_command_ambiguous_project_name_is_usage_error(command: Command, client: openai.OpenAI) -> None:
    for _ in range(2):
        client.admin.organization.projects.create(name="twin")
    refused = command("keys", "create", "--project", "twin", "--name", "x")
    assert refused.returncode == 2
    assert "Use the id." in refused.stderr


def test_project_of_a_name_that_is_taken_is_made_and_told(command: Command, client: openai.OpenAI) -> None:
    first = client.admin.organization.projects.create(name="twin")
    made = command("projects", "create", "twin")
    assert made.returncode == 0
    assert made.stdout.strip() != first.id
    assert f"{first.id} is called 'twin', too" in made.stderr
    assert "too" not in command("projects", "create", "alone").stderr


def test_limits_list_shows_every_kind_of_organisation_and_projects(command: Command, client: openai.OpenAI) -> None:
    client.admin.organization.projects.create(name="team")
    for given in (["--usd", "25"], ["--project", "team", "--limit", "requests/minute=60"]):
        assert command("limits", "set", *given).returncode == 0
    assert [row[:4] for row in table(command("limits", "list").stdout)[1:]] == [
        ["organization", "money", "month", "25.00"],
        ["project team", "requests", "minute", "60"],
    ]
    assert len(json.loads(command("limits", "list", "--json").stdout)["data"]) == 2


def test_command_wrong_admin_key_exits_4(bare: Command, gateway: AdminGateway) -> None:
    refused = bare("projects", "list", environ={"GATEWAY_URL": gateway.url, "GATEWAY_ADMIN_KEY": "sk-wrong"})
    assert refused.returncode == 4
    assert "GATEWAY_ADMIN_KEY" in refused.stderr
    assert "sk-wrong" not in refused.stderr


def test_command_no_admin_key_exits_4_and_says_where_it_looked(bare: Command, tmp_path: Path) -> None:
    refused = bare("projects", "list")
    assert refused.returncode == 4
    assert str(tmp_path / "data" / "admin-key") in refused.stderr
    assert str(tmp_path / "data" / "demo" / "admin-key") in refused.stderr


def test_command_nobody_there_exits_3(bare: Command) -> None:
    refused = bare("projects", "list", environ={"GATEWAY_URL": "http://127.0.0.1:1", "GATEWAY_ADMIN_KEY": "x"})
    assert refused.returncode == 3
    assert "gateway serve" in refused.stderr


def test_command_finds_the_gateway_by_its_data_directory(bare: Command, gateway: AdminGateway, tmp_path: Path) -> None:
    directory = tmp_path / "data" / "demo"
    directory.mkdir(parents=True)
    (directory / "admin-key").write_text(f"{ADMIN_KEY}\n")
    (directory / "url").write_text(f"{gateway.url}\n")
    assert bare("projects", "create", "found").returncode == 0
    elsewhere = bare("--data-dir", str(directory), "--url", f"{gateway.url}/v1/", "projects", "list")
    assert "found" in elsewhere.stdout


def test_version_and_unknown_command(bare: Command) -> None:
    assert bare("version").stdout.strip() == __version__
    assert bare("bogus").returncode == 2
    assert bare("usage", "--by", "colour").returncode == 2


def test_projects_create_control_character_is_refused_and_shown_harmless(command: Command) -> None:
    refused = command("projects", "create", "a\x1b[2Jb")
    assert refused.returncode == 1
    assert r"control and invisible characters are not allowed, but there is \x1b" in refused.stderr
    assert "\x1b" not in refused.stderr


def test_projects_create_takes_its_name_by_option_and_update_tells_the_new_one(
    command: Command, client: openai.OpenAI
) -> None:
    made = command("projects", "create", "--name", "search", "rpm=60")
    assert made.returncode == 0, made.stderr
    assert client.admin.organization.projects.retrieve(made.stdout.strip()).name == "search"
    assert "Project find (" in command("projects", "update", made.stdout.strip(), "name=find").stderr
    assert command("projects", "create").returncode == 2


def test_usage_by_a_tag_that_is_not_kept_says_so(command: Command) -> None:
    assert "not summed up by the tag nobody" in command("usage", "--by", "tag:nobody").stderr


def test_usage_help_names_its_default(bare: Command) -> None:
    text = bare("usage", "-h").stdout
    assert "default: day" in text.replace("(day)", "day")
    assert "Dimension" not in text


@pytest.mark.parametrize("amount", ["-1", "1e400", "1e-9x"])
def test_limits_set_refuses_impossible_dollars_before_asking(bare: Command, amount: str) -> None:
    refused = bare("limits", "set", "--usd", amount, environ={"COLUMNS": "200"})
    assert refused.returncode == 2
    assert "dollars" in refused.stderr


def test_version_is_an_option_too(bare: Command) -> None:
    assert bare("--version").stdout == f"{__version__}\n"
