"""What changes, and what only a restart can change."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.differences import FIXED, RELOADABLE, changed_paths, fixed_changes, setting_paths
from gateway.config.load import load
from gateway.config.settings import Settings


def _settings(text: str = "") -> Settings:
    return load(text, {}, Path("/etc/gateway"), demo=False)


def test_every_setting_is_either_reloadable_or_fixed() -> None:
    paths = setting_paths(_settings())
    ways = {path: {path, path.partition(".")[0]} for path in paths}
    assert [path for path, way in ways.items() if not way & (RELOADABLE | FIXED)] == []
    assert [path for path, way in ways.items() if way & RELOADABLE and way & FIXED] == []


@pytest.mark.parametrize(
    ("text", "changed", "fixed"),
    [
        ("", [], []),
        ("chat: {max_choices: 2}", ["chat.max_choices"], []),
        ("upstream: {total_seconds: 9}", ["upstream.total_seconds"], []),
        ("aliases: {gpt-4o: auto}", ["models, routes or aliases"], []),
        ("server: {port: 1, max_body_bytes: 2048}", ["server.port", "server.max_body_bytes"], ["server.port"]),
        ("store: {prefix: 'x:'}", ["store.prefix"], ["store.prefix"]),
        ("data_dir: elsewhere", ["data_dir"], ["data_dir"]),
        ("tokenizer: {path: t}", ["tokenizer.path"], ["tokenizer.path"]),
    ],
)
def test_changes_are_named_by_their_path(text: str, changed: list[str], fixed: list[str]) -> None:
    assert changed_paths(_settings(), _settings(text)) == changed
    assert fixed_changes(_settings(), _settings(text)) == fixed


def test_changes_never_carry_values() -> None:
    new = replace(_settings(), admin_key="canary-canary")
    assert fixed_changes(_settings(), new) == ["admin_key"]
