"""The sections `log` and `tracing`."""

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problems import ConfigErrors


def test_log_and_tracing_have_their_defaults() -> None:
    settings = load("", {}, Path("/etc"), demo=False)
    assert (settings.log.format, settings.log.access) == ("console", True)
    assert (settings.tracing.endpoint, settings.tracing.sample_ratio) == ("", 1.0)


def test_log_and_tracing_are_read() -> None:
    text = "log: {format: json, access: false}\ntracing: {endpoint: 'http://[::1]:4318/v1/traces', sample_ratio: 0.25}"
    settings = load(text, {}, Path("/etc"), demo=False)
    assert (settings.log.format, settings.log.access) == ("json", False)
    assert (settings.tracing.endpoint, settings.tracing.sample_ratio) == ("http://[::1]:4318/v1/traces", 0.25)


@pytest.mark.parametrize(
    "text",
    ["log: {format: xml}", "log: {access: yes}", "tracing: {endpoint: collector}", "tracing: {sample_ratio: 2}"],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigErrors):
        load(text, {}, Path("/etc"), demo=False)


def test_authorization_is_never_shown() -> None:
    settings = load("tracing: {authorization: Bearer secret-words}", {}, Path("/etc"), demo=False)
    assert settings.tracing.authorization == "Bearer secret-words"
    assert "secret-words" not in repr(settings)
