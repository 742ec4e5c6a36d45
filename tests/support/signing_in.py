"""Signing in to the dashboard without a browser: a client with a session's cookie, and keys to come in with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
from support.admin_gateway import ADMIN_KEY, AdminGateway

ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}


@dataclass(frozen=True)
class Team:
    """A project with one key."""

    project: str
    key: str
    secret: str


def make_team(gateway: AdminGateway, name: str, project: str | None = None) -> Team:
    """A new key, in a new project where none is given."""
    with httpx2.Client(base_url=f"{gateway.url}/v1/organization", headers=ADMIN, trust_env=False) as http:
        http.get("/spend_limit")  # makes the organisation's record, as a worker does when it starts
        if project is None:
            project = str(http.post("/projects", json={"name": name}).json()["id"])
        made = http.post(f"/projects/{project}/service_accounts", json={"name": name}).json()["api_key"]
        return Team(project, made["id"], made["value"])


@contextmanager
def browser(gateway: AdminGateway, secret: str | None = None) -> Iterator[httpx2.Client]:
    """A client that keeps cookies as a browser does, signed in with a key where one is given."""
    with httpx2.Client(base_url=gateway.url, trust_env=False) as http:
        if secret is not None:
            answer = http.post("/dashboard/session", json={"key": secret})
            assert answer.status_code == 200, answer.text
        yield http
