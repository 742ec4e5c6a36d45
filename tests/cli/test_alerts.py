"""`gateway alerts`, run for real against a served admin API."""

import json

import openai
from support.admin_gateway import AdminGateway
from support.command_line import Command


def test_alerts_create_list_delete(command: Command, client: openai.OpenAI) -> None:
    project = client.admin.organization.projects.create(name="team").id
    made = command(
        "alerts", "create", "--project", "team", "--usd", "20.5", "--email", "a@example.org", "--email", "b@x"
    )
    assert made.returncode == 0, made.stderr
    alert = client.admin.organization.projects.spend_alerts.retrieve(made.stdout.strip(), project_id=project)
    assert (alert.threshold_amount, alert.notification_channel.recipients) == (2050, ["a@example.org", "b@x"])
    assert command("alerts", "create", "--usd", "100", "--subject", "[llm]").returncode == 0
    heading, whole, own = command("alerts", "list").stdout.splitlines()
    assert heading.split()[:4] == ["ID", "SCOPE", "AT", "USD"]
    assert whole.split()[1:] == ["organization", "100.00", "month", "–", "[llm]"]
    assert own.split()[1:] == ["team", "20.50", "month", "a@example.org,", "b@x", "–"]
    assert len(json.loads(command("alerts", "list", "--project", "team", "--json").stdout)) == 1
    refused = command("alerts", "delete", alert.id, "--project", "team", answer="n\n")
    assert (refused.returncode, "$20.50" in refused.stderr) == (1, True)
    assert command("alerts", "delete", alert.id, "--yes").returncode == 0
    assert list(client.admin.organization.projects.spend_alerts.list(project)) == []
    assert command("alerts", "delete", alert.id, "--project", "team", "--yes").returncode == 1
    assert command("alerts", "create", "--usd", "5/day").returncode == 2


def test_alerts_test_is_in_the_history(command: Command) -> None:
    raised = command("alerts", "test", "--json")
    assert raised.returncode == 0, raised.stderr
    history = json.loads(command("alerts", "history", "--json").stdout)
    assert [each["id"] for each in history] == [json.loads(raised.stdout)["id"]]
    assert "A test of the webhook." in command("alerts", "history").stdout


def test_alerts_test_without_a_webhook_says_so(command: Command, gateway: AdminGateway) -> None:
    gateway.has_webhook = False
    refused = command("alerts", "test")
    assert (refused.returncode, "No webhook is configured" in refused.stderr) == (1, True), refused.stderr
    assert json.loads(command("alerts", "history", "--json").stdout) == []


def test_keys_revoke_owner_ends_all_of_its_keys_in_every_project(command: Command, client: openai.OpenAI) -> None:
    organization = client.admin.organization
    ids = []
    for name in ("one", "two"):
        project = organization.projects.create(name=name).id
        for owner in ("alice", "bob"):
            organization.projects.service_accounts.create(project, name=owner)
        ids.append(project)
    assert command("keys", "create", "--project", "one", "--name", "spare", "owner=alice").returncode == 0
    asked = command("keys", "revoke", "--owner", "alice", answer="n\n")
    assert (asked.returncode, asked.stderr.count("key_")) == (1, 3)
    done = command("keys", "revoke", "--owner", "alice", "--yes")
    assert (done.returncode, done.stderr.count("is revoked")) == (0, 3)
    left = [key.name for project in ids for key in organization.projects.api_keys.list(project)]
    assert left == ["bob", "bob"]
    assert json.loads(command("keys", "revoke", "--owner", "bob", "--project", "two", "--yes", "--json").stdout)
    assert [key.name for project in ids for key in organization.projects.api_keys.list(project)] == ["bob"]
    assert command("keys", "revoke", "--owner", "carol", "--yes").returncode == 1
    assert command("keys", "revoke", "--yes").returncode == 2
    assert command("keys", "revoke", "key_x", "--owner", "bob", "--yes").returncode == 2
