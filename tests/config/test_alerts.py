"""The `alerts` section: what it takes, and what must stand in it together."""

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problems import ConfigErrors
from gateway.config.settings import AlertSettings

URL = "https://alerts.example/hook?x=1"
SECRET = "0123456789abcdef"


def read(text: str) -> AlertSettings:
    return load(text, {}, Path("/"), demo=False).alerts


def test_alerts_defaults_are_three_thresholds_and_no_webhook() -> None:
    assert read("") == AlertSettings((50, 80, 100), "", "")


def test_alerts_are_read_and_show_no_secret() -> None:
    found = read(f"alerts: {{thresholds: [90], webhook_url: '{URL}', webhook_secret: '{SECRET}'}}")
    assert (found.thresholds, found.webhook_url, found.webhook_secret) == ((90,), URL, SECRET)
    assert "alerts.example" not in repr(found)
    assert SECRET not in repr(found)
    assert read("alerts: {thresholds: []}").thresholds == ()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (f"alerts:\n  webhook_url: {URL}", 1, "must be given with a webhook_url"),
        ("alerts:\n  webhook_secret: whsec_notbase64!!!", 2, "no base64"),
        ("alerts:\n  webhook_secret: short", 2, "16 or more"),
        ("alerts:\n  webhook_url: ftp://x", 2, "must be an http"),
        ("alerts:\n  thresholds: [0]", 2, "a whole number from 1"),
        ("alerts:\n  webhook: x", 2, "webhook"),
    ],
)
def test_alerts_that_are_not_valid_are_refused_with_their_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert said in f"{problem.message} {problem.suggestion}"
