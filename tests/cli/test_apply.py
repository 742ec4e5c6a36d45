"""`gateway apply`, run for real: the documentation's example, twice; changes, pruning, secrets, mistakes."""

import json
from pathlib import Path

import openai
import pytest
from support.command_line import Command

EXAMPLE = Path(__file__).parents[2] / "docs" / "teams.example.yaml"


def write(folder: Path, text: str) -> str:
    file = folder / "teams.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_apply_the_example_twice(command: Command, client: openai.OpenAI, tmp_path: Path) -> None:
    dry = command("apply", str(EXAMPLE), "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "+ key search/alice-laptop\n    owner: alice\n    expires: 2099-12-31 00:00:00\n" in dry.stdout
    assert list(client.admin.organization.projects.list()) == []
    done = command("apply", str(EXAMPLE), "--secrets", "new-keys.txt")
    assert done.returncode == 0, done.stderr
    assert done.stdout == dry.stdout
    assert "5 added, 1 changed" in done.stderr
    file = tmp_path / "new-keys.txt"
    assert file.stat().st_mode & 0o777 == 0o600
    lines = [line.split() for line in file.read_text().splitlines()]
    assert [name for name, _ in lines] == ["search/indexer", "search/alice-laptop", "support/chat-widget"]
    assert all(secret.startswith("sk-") for _, secret in lines)
    again = command("apply", str(EXAMPLE))
    assert (again.returncode, again.stdout) == (0, ""), again.stdout
    assert "Everything is as the file says." in again.stderr
    assert client.admin.organization.spend_limit.retrieve().threshold_amount == 50_000
    search, support = sorted(client.admin.organization.projects.list(), key=lambda project: project.name or "")
    assert client.admin.organization.projects.spend_limit.retrieve(support.id).threshold_amount == 10_000
    shown = json.loads(command("projects", "show", "search", "--json").stdout)
    assert (shown["on_store_down"], shown["tags"]) == ("allow", {"team": "search"})
    keys = {key.name: key for key in client.admin.organization.projects.api_keys.list(search.id)}
    assert keys["alice-laptop"].owner.service_account is not None
    assert keys["alice-laptop"].owner.service_account.name == "alice"
    assert keys["alice-laptop"].expires_at == 4_102_358_400


def test_apply_changes_what_differs_and_says_how(command: Command, client: openai.OpenAI, tmp_path: Path) -> None:
    first = """\
projects:
  team:
    limits: {usd/month: 20, rpm: 60}
    on_revoke: finish
    keys:
      bot: {limits: {tokens/day: 5}, tags: {env: test}}
"""
    made = command("apply", write(tmp_path, first))
    assert made.returncode == 0, made.stderr
    (line,) = [line for line in made.stdout.splitlines() if line.startswith("team/bot ")]
    assert line.split()[1].startswith("sk-")
    second = """\
organization: {limits: {requests/day: 9}}
projects:
  team:
    limits: {usd/month: 25.5, concurrency: 4, "tokens/day/@cf/meta/llama-3.1-8b-instruct-fp8": 7}
    on_revoke: default
    keys:
      bot: {owner: alice, disabled: true, limits: {}, tags: {env: prod}, expires: 2099-01-01}
"""
    changed = command("apply", write(tmp_path, second))
    assert changed.returncode == 0, changed.stderr
    assert (
        changed.stdout
        == """\
~ organization
    requests/day: 9
~ project team
    usd/month: 20.00 → 25.50
    concurrency: 4
    tokens/day/@cf/meta/llama-3.1-8b-instruct-fp8: 7
    requests/minute: 60 → none
    on_revoke: finish → default
~ key team/bot
    owner: bot → alice
    disabled: false → true
    expires: never → 2099-01-01 00:00:00
    tokens/day: 5 → none
    tags: {"env":"test"} → {"env":"prod"}
"""
    )
    assert command("apply", write(tmp_path, second)).stdout == ""
    (project,) = client.admin.organization.projects.list()
    assert client.admin.organization.projects.spend_limit.retrieve(project.id).threshold_amount == 2550
    without = second.replace("usd/month: 25.5, ", "").replace("2099-01-01", "never")
    assert (
        command("apply", write(tmp_path, without)).stdout
        == """\
~ project team
    usd/month: 25.50 → none
~ key team/bot
    expires: 2099-01-01 00:00:00 → never
"""
    )
    assert command("apply", write(tmp_path, without)).stdout == ""
    with pytest.raises(openai.NotFoundError):
        client.admin.organization.projects.spend_limit.retrieve(project.id)


def test_apply_prunes_only_when_asked_and_confirmed(command: Command, client: openai.OpenAI, tmp_path: Path) -> None:
    organization = client.admin.organization
    team, other = (organization.projects.create(name=name) for name in ("team", "other"))
    for name in ("bot", "old"):
        organization.projects.service_accounts.create(team.id, name=name)
    file = write(tmp_path, "projects: {team: {keys: {bot: {}}}}")
    kept = command("apply", file)
    assert (kept.returncode, kept.stdout) == (0, "")
    assert "left alone: key team/old, project other" in kept.stderr
    refused = command("apply", file, "--prune", answer="n\n")
    assert (refused.returncode, refused.stdout.split("\n")[:2]) == (1, ["- key team/old", "- project other"])
    assert len(list(organization.projects.list())) == 2
    done = command("apply", file, "--prune", "--yes")
    assert done.returncode == 0, done.stderr
    assert [key.name for key in organization.projects.api_keys.list(team.id)] == ["bot"]
    assert organization.projects.retrieve(other.id).status == "archived"
    assert command("apply", file, "--prune", "--yes").stdout == ""
    events = {entry["type"] for entry in json.loads(command("audit", "--json").stdout)}
    assert {"api_key.deleted", "project.archived"} <= events


def test_apply_refuses_before_it_does_anything(command: Command, client: openai.OpenAI, tmp_path: Path) -> None:
    wrong = command("apply", write(tmp_path, "projects:\n  p:\n    limits:\n      usd/year: 1\n    colour: red"))
    assert wrong.returncode == 2
    assert "line 4: projects.p.limits" in wrong.stderr
    assert "line 5: projects.p.colour: unknown key" in wrong.stderr
    assert command("apply", str(tmp_path / "nowhere.yaml")).returncode == 2
    taken = tmp_path / "taken"
    taken.write_text("mine")
    file = write(tmp_path, "projects: {p: {keys: {k: {}}}}")
    assert command("apply", file, "--secrets", str(taken)).returncode == 2
    assert taken.read_text() == "mine"
    assert list(client.admin.organization.projects.list()) == []


def test_apply_names_that_are_not_unique_are_refused(command: Command, client: openai.OpenAI, tmp_path: Path) -> None:
    for _ in range(2):
        client.admin.organization.projects.create(name="twin")
    refused = command("apply", write(tmp_path, "projects: {twin: {}}"))
    assert (refused.returncode, "Several projects are named 'twin'" in refused.stderr) == (1, True)
    assert command("apply", write(tmp_path, "projects: {single: {}}")).returncode == 0
    project = next(each for each in client.admin.organization.projects.list() if each.name == "single")
    for _ in range(2):
        client.admin.organization.projects.service_accounts.create(project.id, name="k")
    assert command("apply", write(tmp_path, "projects: {single: {}}")).returncode == 1


def test_apply_goes_on_after_a_step_that_was_refused(command: Command, client: openai.OpenAI, tmp_path: Path) -> None:
    text = "projects: {one: {keys: {k: {}}}, two: {default_route: nowhere}, three: {}}"
    refused = command("apply", write(tmp_path, text))
    assert refused.returncode == 1
    assert "default_route" in refused.stderr or "nowhere" in refused.stderr
    assert "one/k sk-" in refused.stdout  # what was made is not lost
    assert [each.name for each in client.admin.organization.projects.list()] == ["one"]
    done = command("apply", write(tmp_path, text.replace("nowhere", "auto")))
    assert done.returncode == 0, done.stderr
    assert {each.name for each in client.admin.organization.projects.list()} == {"one", "two", "three"}


def test_apply_json_is_one_document_also_where_a_step_is_refused(command: Command, tmp_path: Path) -> None:
    text = "projects: {one: {limits: {rpm: 5}, keys: {k: {owner: o}}}, two: {default_route: nowhere}}"
    file = write(tmp_path, text)
    dry = json.loads(command("apply", file, "--json", "--dry-run").stdout)
    assert (dry["dry_run"], dry["done"], dry["secrets"], dry["left_alone"]) == (True, 0, [], [])
    assert [(each["action"], each["project"], each["key"]) for each in dry["steps"]] == [
        ("add", "one", None),
        ("add", "one", "k"),
        ("add", "two", None),
    ]
    assert dry["steps"][0]["limits"] == [{"kind": "requests", "window": "minute", "limit": 5}]
    assert dry["steps"][1]["set"] == {"name": "k", "owner": "o"}
    refused = command("apply", file, "--json")
    assert refused.returncode == 1
    told = json.loads(refused.stdout)
    assert (told["done"], told["steps"]) == (2, dry["steps"])
    (issued,) = told["secrets"]
    assert (issued["project"], issued["key"], issued["secret"][:3]) == ("one", "k", "sk-")
    more = write(tmp_path, "projects: {one: {keys: {other: {}}}}")
    kept = command("apply", more, "--json", "--secrets", "new.txt")
    assert (json.loads(kept.stdout)["secrets"], (tmp_path / "new.txt").read_text()[:10]) == ([], "one/other ")
    assert [each["key"] for each in json.loads(kept.stdout)["left_alone"]] == ["k"]
    pruned = json.loads(command("apply", more, "--json", "--prune", "--yes").stdout)
    assert (pruned["done"], pruned["steps"][0]["action"], pruned["left_alone"]) == (1, "end", [])
    assert json.loads(command("apply", more, "--json").stdout)["steps"] == []
