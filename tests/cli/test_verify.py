"""`gateway verify` as a subprocess against a served admin API."""

import json

from support.admin_gateway import AdminGateway
from support.command_line import Command


def test_verify_empty_books_agree(command: Command) -> None:
    result = command("verify")
    assert (result.returncode, result.stdout) == (0, "0 rows in 0 hours looked at.\nThe books agree.\n")


def test_verify_difference_is_shown_and_repaired(command: Command, gateway: AdminGateway) -> None:
    gateway.add_row()
    found = command("verify")
    assert found.returncode == 1
    assert "u:money:total" in found.stdout
    assert command("verify", "--repair", answer="n\n").returncode == 1
    repaired = command("verify", "--repair", "--yes")
    assert repaired.returncode == 0, repaired.stderr
    assert "The books agree now." in repaired.stdout
    again = json.loads(command("verify", "--json").stdout)
    assert (again["rows"], again["findings"], again["repaired"]) == (1, [], [])
