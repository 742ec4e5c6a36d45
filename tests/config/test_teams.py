"""A file of teams: what it takes, and every mistake in it with its line."""

from pathlib import Path

import pytest

from gateway.config.document import Reading
from gateway.config.problems import ConfigErrors
from gateway.config.teams import NEVER, Teams, limit_name, read_teams, shown_limit

EXAMPLE = Path(__file__).parents[2] / "docs" / "teams.example.yaml"


def read(text: str, **environ: str) -> Teams:
    return read_teams(text, Reading(environ, Path("/")))


def test_teams_empty_file_says_nothing() -> None:
    assert read("") == Teams()
    assert read("projects: {search: }").projects["search"].limits is None


def test_teams_example_is_read_whole() -> None:
    teams = read(EXAMPLE.read_text(encoding="utf-8"))
    assert teams.organization_limits == {("money", "month", ""): 500 * 10**9, ("requests", "minute", ""): 3000}
    search = teams.projects["search"]
    assert search.limits is not None
    assert search.limits["concurrency", "now", ""] == 16
    assert search.rules == {"on_store_down": "allow", "tags": {"team": "search"}}
    laptop = search.keys["alice-laptop"]
    assert (laptop.owner, laptop.expires, laptop.disabled) == ("alice", 4_102_358_400, None)
    assert laptop.limits == {("money", "month", ""): 2_500_000_000, ("requests", "minute", ""): 30}
    assert search.keys["indexer"].rules == {"allowed_routes": ["auto"], "default_route": "auto"}
    assert teams.projects["support"].rules["drain_up_to"] == {"tokens": 500, "seconds": 20}


def test_teams_words_take_things_back() -> None:
    teams = read("projects: {p: {allowed_models: default, limits: {}, keys: {k: {expires: never, disabled: true}}}}")
    assert teams.projects["p"].rules == {"allowed_models": None}
    assert teams.projects["p"].limits == {}
    assert (teams.projects["p"].keys["k"].expires, teams.projects["p"].keys["k"].disabled) == (NEVER, True)


def test_teams_values_come_from_the_environment() -> None:
    teams = read("projects: {p: {limits: {usd/month: '${BUDGET}'}}}", BUDGET="7.5")
    assert teams.projects["p"].limits == {("money", "month", ""): 7_500_000_000}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("projects:\n  p:\n    limit: {}", 3, "did you mean limits?"),
        ("projects:\n  p:\n    limits:\n      usd/year: 5", 4, "there is no such limit"),
        ("projects:\n  p:\n    limits:\n      rpm: 1.5", 4, "whole number"),
        ("projects:\n  p:\n    limits:\n      usd/month: -1", 4, "dollars"),
        ("projects:\n  p:\n    limits:\n      rpm: 5\n      requests/minute: 6", 5, "twice under two names"),
        ("projects:\n  p:\n    keys:\n      k:\n        expires: soon", 5, "a day as YYYY-MM-DD"),
        ("projects:\n  p:\n    on_revoke: kill", 3, "one of cut, finish"),
        ("projects:\n  p: {}\n  p: {}", 3, "given twice"),
        ("projects:\n  p:\n    allowed_models: []", 3, "at least 1"),
        ("projects: [p]", 1, "must be a mapping"),
        ("projects: {", 1, "not valid YAML"),
    ],
)
def test_teams_mistakes_are_told_with_their_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(text)
    assert [problem.line for problem in caught.value.problems] == [line]
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["usd/month", "tokens/day", "requests/minute", "concurrency", "tokens/day/@cf/meta/m"])
def test_limit_names_are_shown_as_they_are_written(name: str) -> None:
    limit = limit_name(name)
    assert limit is not None
    assert shown_limit(limit) == name


@pytest.mark.parametrize(
    "name", ["money", "usd", "concurrency/minute", "usd/now", "", "/", "rpm/minute", "tokens/month/m"]
)
def test_limit_names_that_mean_nothing(name: str) -> None:
    assert limit_name(name) is None
