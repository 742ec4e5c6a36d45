"""`gateway service-accounts` and `gateway limits mine`, run for real."""

import json

import openai
from support.command_line import Command


def test_service_accounts_create_list_rename_delete(command: Command, client: openai.OpenAI) -> None:
    organization = client.admin.organization
    project = organization.projects.create(name="team").id
    made = command("service-accounts", "create", "alice", "--project", "team")
    assert made.returncode == 0, made.stderr
    account = made.stdout.strip()
    assert command("keys", "create", "--project", "team", "--name", "laptop", "owner=alice").returncode == 0
    assert command("service-accounts", "rename", account, "bob").returncode == 0
    heading, line = command("service-accounts", "list").stdout.splitlines()
    assert heading.split()[:3] == ["ID", "NAME", "PROJECT"]
    assert line.split()[:3] == [account, "bob", "team"]
    assert command("service-accounts", "rename", "bob", "carol", "--project", "team").returncode == 0
    organization.projects.service_accounts.create(organization.projects.create(name="other").id, name="carol")
    several = command("service-accounts", "delete", "carol", "--yes")
    assert (several.returncode, "Several service accounts are named 'carol'" in several.stderr) == (2, True)
    refused = command("service-accounts", "delete", account, answer="n\n")
    assert (refused.returncode, "revoke all its keys" in refused.stderr) == (1, True)
    assert command("service-accounts", "delete", account, "--project", "team", "--yes").returncode == 0
    assert list(organization.projects.api_keys.list(project)) == []
    assert json.loads(command("service-accounts", "list", "--project", "team", "--json").stdout) == []
    assert command("service-accounts", "delete", account, "--yes").returncode == 1


def test_limits_mine_shows_a_virtual_key_its_own(command: Command, client: openai.OpenAI) -> None:
    assert command("projects", "create", "team", "rpm=60").returncode == 0
    assert command("limits", "set", "--usd", "100").returncode == 0  # the organisation's is not shown
    made = command("keys", "create", "--project", "team", "--name", "bot", "tokens/day=7")
    shown = command("limits", "mine", environ={"GATEWAY_API_KEY": made.stdout.strip()})
    assert shown.returncode == 0, shown.stderr
    rows = [line.split()[:4] for line in shown.stdout.splitlines()[1:]]
    assert rows == [["key", "tokens", "day", "7"], ["project", "requests", "minute", "60"]]
    assert command("limits", "mine", environ={"GATEWAY_API_KEY": "sk-wrong"}).returncode == 4
