"""`gateway keys` and `gateway projects` with settings, run for real and checked through the official SDK."""

import json

import openai
from support.command_line import Command

MODEL = "@cf/meta/llama-3.1-8b-instruct-fast"


def test_key_is_made_with_settings_shown_and_changed(command: Command, client: openai.OpenAI) -> None:
    project = client.admin.organization.projects.create(name="team", extra_body={"on_revoke": "finish"})
    made = command("keys", "create", "--project", "team", "--name", "bot", "rpm=60", "owner=ops", "on_disconnect=drain")
    assert made.returncode == 0, made.stderr
    again = command("keys", "create", "--project", "team", "--name", "two", "owner=ops", "--json")
    assert json.loads(again.stdout)["value"].startswith("sk-")
    (account,) = client.admin.organization.projects.service_accounts.list(project.id)
    assert account.name == "ops"
    found = client.admin.organization.projects.api_keys.list(project.id)
    key, second = sorted(found, key=lambda each: each.name)
    assert (key.name, second.name) == ("bot", "two")
    changed = command("keys", "update", key.id, f"allowed_models={MODEL}", "usd/day=5", "tags=team=a", "name=new")
    assert changed.returncode == 0, changed.stderr
    shown = command("keys", "show", key.id).stdout
    lines = [line.split() for line in shown.splitlines()]
    for line in (
        ["key", "requests", "minute", "60", "0", "0", "60", "–", "all"],
        ["allowed_models", MODEL, "key"],
        ["on_disconnect", "drain", "key"],
        ["on_revoke", "finish", "project"],
        ["on_store_down", "deny", "default"],
        ["tags", "team=a", "key"],
    ):
        assert line in lines, shown
    assert json.loads(command("keys", "show", key.id, "--json").stdout)["name"] == "new"
    back = json.loads(command("keys", "update", key.id, "allowed_models=default", "rpm=none", "--json").stdout)
    assert (back["allowed_models"], [each["kind"] for each in back["limits"]]) == (None, ["money"])


def test_key_is_disabled_after_a_question_and_enabled_again(command: Command, client: openai.OpenAI) -> None:
    project = client.admin.organization.projects.create(name="team")
    account = client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    assert account.api_key is not None
    key = account.api_key.id
    assert command("keys", "disable", key, answer="n\n").returncode == 1
    assert "disabled" not in command("keys", "list").stdout
    assert command("keys", "disable", key, "--yes").returncode == 0
    assert "disabled" in command("keys", "list").stdout
    assert json.loads(command("keys", "enable", key, "--json").stdout)["disabled"] is False


def test_key_refusals_say_what_is_wrong(command: Command, client: openai.OpenAI) -> None:
    client.admin.organization.projects.create(name="team")
    unknown = command("keys", "create", "--project", "team", "--name", "bot", "allowed_models=gpt-17")
    assert (unknown.returncode, MODEL in unknown.stderr) == (1, True)
    assert command("keys", "create", "--project", "team", "--name", "bot", "colour=red").returncode == 2
    assert command("keys", "update", "key_nobody", "name=x").returncode == 1


def test_project_is_made_with_settings_shown_and_changed(command: Command, client: openai.OpenAI) -> None:
    made = command("projects", "create", "team", "usd/month=25", "allowed_routes=auto")
    project = client.admin.organization.projects.retrieve(made.stdout.strip())
    assert command("projects", "update", "team", "log_content=true", "name=search").returncode == 0
    lines = [line.split() for line in command("projects", "show", "search").stdout.splitlines()]
    assert ["allowed_routes", "auto", "project"] in lines
    assert ["log_content", "true", "project"] in lines
    assert [line[:4] for line in lines if line[:1] == ["project"]] == [["project", "money", "month", "25.00"]]
    shown = json.loads(command("projects", "show", project.id, "--json").stdout)
    assert (shown["name"], shown["log_content"]) == ("search", True)


def test_key_is_rotated_after_a_question(command: Command, client: openai.OpenAI) -> None:
    project = client.admin.organization.projects.create(name="team")
    account = client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    assert account.api_key is not None
    key = account.api_key.id
    assert command("keys", "rotate", key, answer="n\n").returncode == 1
    rotated = command("keys", "rotate", key, "--grace", "7d", "--yes")
    assert rotated.returncode == 0, rotated.stderr
    assert rotated.stdout.strip() != account.api_key.value
    assert rotated.stdout.strip() not in rotated.stderr
    shown = client.admin.organization.projects.api_keys.retrieve(key, project_id=project.id)
    assert shown.redacted_value == f"sk-…{rotated.stdout.strip()[-4:]}"
    assert command("keys", "rotate", key, "--grace", "soon", "--yes").returncode == 2
    at_once = command("keys", "rotate", key, "--grace", "0h", "--yes", "--json")
    assert json.loads(at_once.stdout)["previous_valid_until"] is None


def test_key_goes_by_its_name_where_no_other_is_called_so(command: Command, client: openai.OpenAI) -> None:
    team, other = (client.admin.organization.projects.create(name=name) for name in ("team", "other"))
    for project in (team, other):
        client.admin.organization.projects.service_accounts.create(project.id, name="bot")
    ambiguous = command("keys", "rotate", "bot", "--yes")
    assert ambiguous.returncode == 2
    assert "--project" in ambiguous.stderr
    assert command("keys", "rotate", "bot", "--project", "team", "--yes").returncode == 0
    revoked = command("keys", "revoke", "bot", "--project", "team", "--yes", "--json")
    assert revoked.returncode == 0, revoked.stderr
    assert command("keys", "show", "bot").returncode == 0  # only the other one's is left
    assert command("limits", "set", "--key", "bot", "--limit", "requests/minute=5").returncode == 0
    assert command("keys", "revoke", "bot", "--yes").returncode == 0
    assert command("keys", "revoke", "bot", "--yes").returncode == 1


def test_admin_keys_create_list_revoke(command: Command, client: openai.OpenAI) -> None:
    project = client.admin.organization.projects.create(name="team")
    made = command(
        "admin-keys", "create", "--name", "ci", "--role", "viewer", "--project", "team", "--expires-days", "9"
    )
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("sk-admin-")
    (key,) = client.admin.organization.admin_api_keys.list()
    assert (key.model_extra or {})["scope"] == f"project:{project.id}"
    listed = command("admin-keys", "list").stdout
    for word in (key.id, "ci", "viewer", "project team", f"sk-admin-…{secret[-4:]}"):
        assert word in listed
    assert command("projects", "list", environ={"GATEWAY_ADMIN_KEY": secret}).returncode == 0
    refused = command("projects", "create", "x", environ={"GATEWAY_ADMIN_KEY": secret})
    assert (refused.returncode, "viewer" in refused.stderr) == (1, True)
    assert command("admin-keys", "revoke", key.id, answer="n\n").returncode == 1
    assert command("admin-keys", "revoke", key.id, "--yes").returncode == 0
    assert command("admin-keys", "revoke", key.id, "--yes").returncode == 1
    assert json.loads(command("admin-keys", "list", "--json").stdout) == []
