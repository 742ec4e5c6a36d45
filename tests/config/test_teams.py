"""A file of teams: what it takes, and every mistake in it with its line."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from gateway.config.document import Reading
from gateway.config.problems import ConfigErrors
from gateway.config.teams import NEVER, Teams, limit_name, read_teams, shown_limit, teams_schema

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


def is_valid(text: str) -> bool:
    document = json.loads(json.dumps(yaml.safe_load(text), default=str))  # days are text for editors
    return bool(jsonschema.Draft202012Validator(teams_schema()).is_valid(document))


def test_teams_schema_is_one_and_takes_the_example() -> None:
    jsonschema.Draft202012Validator.check_schema(teams_schema())
    assert is_valid(EXAMPLE.read_text(encoding="utf-8"))
    assert is_valid(
        "projects: {p: {allowed_models: default, limits: {usd/month: '${X:-25}'}, keys: {k: {expires: never}}}}"
    )
    for wrong in ("{colour: red}", "{limits: {rpm: -1}}", "{limits: {rpm: many}}", "{on_revoke: perhaps}"):
        assert not is_valid(f"projects: {{p: {wrong}}}")


@pytest.mark.parametrize("kind", ["usd", "tokens", "requests", "neurons", "concurrency", "bytes"])
@pytest.mark.parametrize("window", ["now", "minute", "hour", "day", "week", "month", "total", "year"])
@pytest.mark.parametrize("model", ["", "/@cf/meta/llama-3.1-8b-instruct-fp8"])
def test_teams_schema_knows_the_names_of_limits_that_there_are(kind: str, window: str, model: str) -> None:
    name = f"{kind}/{window}{model}"
    if name != "concurrency/now":  # is written without its window
        assert is_valid(f"organization: {{limits: {{'{name}': 5}}}}") == (limit_name(name) is not None)
