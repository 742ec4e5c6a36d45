"""`gateway audit`, run for real after acts of the command line and of the SDK."""

import json

import openai
from support.command_line import Command


def test_audit_shows_who_did_what_and_what_changed(command: Command, client: openai.OpenAI) -> None:
    assert command("projects", "create", "team").returncode == 0
    client.admin.organization.projects.create(name="other")
    assert command("limits", "set", "--project", "team", "--usd", "5").returncode == 0
    assert command("projects", "update", "team", "allowed_models=nobody").returncode == 1
    printed = command("audit")
    assert printed.returncode == 0, printed.stderr
    heading, refused, limited, by_sdk, made = printed.stdout.splitlines()
    assert heading.split()[:3] == ["AT", "(UTC)", "EVENT"]
    assert "request.refused" in refused
    assert "nobody" in refused
    assert "admin (gateway-cli/" in limited
    assert 'spend_limit: none → {"limit_nano":5000000000' in limited
    assert "127.0.0.1" in limited
    assert "admin (OpenAI/Python" in by_sdk
    assert 'name: "team"' in made


def test_audit_in_a_pipe_cuts_no_change(command: Command) -> None:
    names = [f"a-model-with-a-long-name-{number}" for number in range(12)]
    assert command("projects", "create", "team").returncode == 0
    assert command("projects", "update", "team", f"tags={','.join(f'{name}=yes' for name in names)}").returncode == 0
    assert all(name in command("audit", "--limit", "1").stdout for name in names)


def test_audit_filters_and_json(command: Command, client: openai.OpenAI) -> None:
    team = client.admin.organization.projects.create(name="team").id
    client.admin.organization.projects.create(name="other")
    client.admin.organization.projects.archive(team)
    found = json.loads(
        command("audit", "--where", f"project={team}", "--where", "event=project.created", "--json").stdout
    )
    assert [(entry["type"], entry["project"]["id"]) for entry in found] == [("project.created", team)]
    assert len(json.loads(command("audit", "--since", "1d", "--where", "actor=admin", "--json").stdout)) == 3
    assert json.loads(command("audit", "--since", "2099-01-01", "--json").stdout) == []
    assert len(json.loads(command("audit", "--where", f"target={team}", "--json").stdout)) == 2
    assert len(json.loads(command("audit", "--limit", "1", "--json").stdout)) == 1
    assert command("audit", "--since", "tomorrow").returncode == 2
    assert command("audit", "--where", "who=me").returncode == 2
