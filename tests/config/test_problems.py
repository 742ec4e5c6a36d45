"""Problems: how they read, and in which order."""

import pytest

from gateway.config.problems import ConfigErrors, ConfigProblem, did_you_mean, joined


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        ("", "server", "server"),
        ("server", "port", "server.port"),
        ("models", "@cf/a/b", 'models["@cf/a/b"]'),
        ('models["@cf/a/b"].prices', 0, 'models["@cf/a/b"].prices[0]'),
        ("aliases", "gpt-4o", 'aliases["gpt-4o"]'),
    ],
)
def test_joined_key_gives_path(path: str, key: str | int, expected: str) -> None:
    assert joined(path, key) == expected


@pytest.mark.parametrize(("word", "expected"), [("prot", "did you mean port?"), ("zzz", "")])
def test_did_you_mean_near_word_is_named(word: str, expected: str) -> None:
    assert did_you_mean(word, ["port", "host"]) == expected


def test_config_errors_sorts_by_line_and_reads_one_per_line() -> None:
    errors = ConfigErrors([ConfigProblem("b", 7, "wrong", "do so"), ConfigProblem("a", None, "missing")])
    assert str(errors) == "a: missing\nline 7: b: wrong (do so)"
