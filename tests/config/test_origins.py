"""What is in force and where it comes from; and that no secret is ever shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.load import load_traced
from gateway.config.origins import EffectiveValue, effective_values, without_secrets
from gateway.config.schema import described_keys

CREDENTIALS = {"CLOUDFLARE_ACCOUNT_ID": "account", "CLOUDFLARE_AUTH_TOKEN": "canary-token"}


def _values(text: str, environ: dict[str, str] | None = None) -> dict[str, EffectiveValue]:
    loaded = load_traced(text, environ or {}, Path("/etc/gateway"), demo=False, read_secret=lambda _: "canary-file")
    return {each.path: each for each in effective_values(loaded)}


def test_effective_values_name_the_line_the_variable_or_the_default() -> None:
    values = _values(
        "server:\n  port: 9000\n  host: ${HOST}\nmodels:\n  '@cf/meta/llama-3.1-8b-instruct-fp8': {window_tokens: 9}\n",
        {"HOST": "::1", **CREDENTIALS},
    )
    shown = {
        "server.port": (9000, "line 2"),
        "server.host": ("::1", "line 3 ($HOST)"),
        "server.workers": (1, "default"),
        "upstream.account_id": ("account", "$CLOUDFLARE_ACCOUNT_ID"),
        "upstream.api_token": ("***", "$CLOUDFLARE_AUTH_TOKEN"),
        "data_dir": ("/etc/gateway/data", "default"),
        'models["@cf/meta/llama-3.1-8b-instruct-fp8"].window_tokens': (9, "line 5"),
        "routes.auto.policy": ("cheapest", "default"),
    }
    assert {path: (values[path].value, values[path].origin) for path in shown} == shown


def test_effective_values_show_every_key_of_the_table() -> None:
    paths = {
        path.replace('["@cf/meta/llama-3.1-8b-instruct-fp8"]', ".<id>").replace("routes.auto", "routes.<name>")
        for path in _values("aliases: {gpt-4o: auto}")
    }
    inside = ("models.<id>.ranges.", "models.<id>.prices[]", "models.<id>.enabled")  # shown whole, or not in force
    sections = {path.rpartition(".")[0] for path, _ in described_keys()}
    plain = {path for path, _ in described_keys() if path not in sections and not path.startswith(inside)}
    assert plain - paths - {"models", "routes", "aliases"} == set()


def test_effective_values_with_secrets_in_files_show_their_line_only() -> None:
    values = _values("upstream:\n  account_id: a\n  api_token_file: token\nadmin_key_file: k\n")
    assert (values["upstream.api_token"].value, values["upstream.api_token"].line) == ("***", 3)
    assert (values["admin_key"].value, values["admin_key"].line) == ("***", 4)
    assert "canary" not in repr(values)


@pytest.mark.parametrize(
    ("given_text", "is_secret", "shown"),
    [
        ("", True, ""),
        ("hunter2", True, "***"),
        ("embedded", False, "embedded"),
        ("redis://gw:hunter2@store:6379/0", True, "redis://***@store:6379/0"),
        ("redis://:a/b#c@d@store/1?password=hunter2", True, "redis://***@store/1?***"),
        ("unix:///run/s?password=hunter2", True, "unix:///run/s?***"),
        ("https://api.cloudflare.com/client/v4", False, "https://api.cloudflare.com/client/v4"),
    ],
)
def test_without_secrets_keeps_what_may_be_shown(given_text: str, is_secret: bool, shown: str) -> None:
    assert without_secrets(given_text, is_secret=is_secret) == shown


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30))
def test_without_secrets_never_shows_a_password(password: str) -> None:
    marked = f"canary{password}"
    for url in (f"redis://user:{marked}@store:6379/0", f"redis://store/0?password={marked}"):
        assert "canary" not in without_secrets(url, is_secret=True)
