"""`name=value` on the command line, as bodies of the admin API."""

from typing import Any

import pytest
import typer

from gateway.cli.assignments import assignable, complete_assignment, explain_assignments, read_assignments

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("name=a = b", {"name": "a = b"}),
        ("owner=ops", {"owner": "ops"}),
        ("disabled=true", {"disabled": True}),
        ("expires=12h", {"expires_at": NOW + 43_200}),
        ("expires=30d", {"expires_at": NOW + 30 * 86_400}),
        ("expires=2030-01-01", {"expires_at": 1_893_456_000}),
        ("expires=never", {"expires_at": None}),
        ("allowed_models=a, b", {"allowed_models": ["a", "b"]}),
        ("allowed_routes=default", {"allowed_routes": None}),
        ("default_route=auto", {"default_route": "auto"}),
        ("on_disconnect=default", {"on_disconnect": None}),
        ("drain_up_to=500", {"drain_up_to": {"tokens": 500}}),
        ("drain_up_to=20s,500", {"drain_up_to": {"seconds": 20, "tokens": 500}}),
        ("drain_up_to=default", {"drain_up_to": None}),
        ("tags=team=search,env=a=b", {"tags": {"team": "search", "env": "a=b"}}),
        ("tags=default", {"tags": None}),
        ("rpm=60", {"limits": [{"kind": "requests", "window": "minute", "limit": 60}]}),
        ("tpm=none", {"limits": [{"kind": "tokens", "window": "minute", "limit": None}]}),
        ("concurrency=4", {"limits": [{"kind": "concurrency", "window": "now", "limit": 4}]}),
        ("usd/day=$0.5", {"limits": [{"kind": "money", "window": "day", "limit": 500_000_000}]}),
        ("usd/day=none", {"limits": [{"kind": "money", "window": "day", "limit": None}]}),
    ],
)
def test_assignment_becomes_a_member(text: str, body: dict[str, Any]) -> None:
    assert read_assignments([text], NOW) == body


def test_assignments_of_a_project_have_log_content_and_no_end() -> None:
    assert read_assignments(["log_content=true"], NOW, of_project=True) == {"log_content": True}
    assert read_assignments(["log_content=default"], NOW, of_project=True) == {"log_content": None}
    assert read_assignments(["queue_weight=3"], NOW, of_project=True) == {"queue_weight": 3}
    assert read_assignments(["queue_weight=default"], NOW, of_project=True) == {"queue_weight": None}
    with pytest.raises(typer.BadParameter, match="whole number"):
        read_assignments(["queue_weight=much"], NOW, of_project=True)
    for text in ("expires=1d", "owner=x", "disabled=true"):
        with pytest.raises(typer.BadParameter, match="there is no"):
            read_assignments([text], NOW, of_project=True)


@pytest.mark.parametrize(
    "text",
    ["", "name", "name=", "colour=red", "disabled=default", "disabled=yes", "expires=soon", "drain_up_to=5m",
     "tags=team", "tags=team=", "rpm=many", "tokens/day=1.5", "usd/day=NaN", "log_content=true"],
)  # fmt: skip
def test_assignment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_assignments([text], NOW)


def test_help_names_everything_that_can_be_assigned() -> None:
    for of_project in (False, True):
        told = explain_assignments(of_project=of_project)
        assert [name for name in assignable(of_project=of_project) if f"{name}=" not in told] == []


def test_completion_offers_what_begins_so() -> None:
    assert complete_assignment("on_s") == ["on_store_down="]
    assert complete_assignment("usd") == ["usd/month=", "usd/day="]
