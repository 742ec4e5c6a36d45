"""The table of keys against the settings it fills, and against JSON Schema."""

from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
import yaml

from gateway.config.catalog_schema import MODEL, PARAMETERS, ROUTE
from gateway.config.kinds import Section
from gateway.config.schema import (
    CHAT,
    LEDGER,
    METRICS,
    ROOT,
    SERVER,
    STORE,
    UPSTREAM,
    described_keys,
    json_schema,
)
from gateway.config.settings import (
    ChatSettings,
    LedgerSettings,
    MetricsSettings,
    ServerSettings,
    StoreSettings,
    UpstreamSettings,
)
from gateway.core.call import Sampling
from gateway.core.catalog import Model, Route

VALIDATOR = jsonschema.Draft202012Validator(json_schema(), format_checker=jsonschema.FormatChecker())
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        (SERVER, ServerSettings),
        (UPSTREAM, UpstreamSettings),
        (STORE, StoreSettings),
        (METRICS, MetricsSettings),
        (CHAT, ChatSettings),
        (LEDGER, LedgerSettings),
    ],
)
def test_section_keys_are_the_fields_of_its_settings(section: Section, settings: type) -> None:
    assert [key.name for key in section.keys] == [field.name for field in fields(settings)]


def test_model_and_route_keys_are_fields() -> None:
    assert {key.name for key in MODEL.keys} - {"enabled"} == {field.name for field in fields(Model)} - {
        "id",
        "upstream",
    }
    plain = {field.name for field in fields(Route)} - {"name", "pinned", "max_cost_nano"}
    assert {key.name for key in ROUTE.keys} - {"max_cost_usd"} == plain


def test_parameters_are_those_of_a_call() -> None:
    assert set(PARAMETERS) == {field.name for field in fields(Sampling)}


def test_described_keys_names_each_once_with_a_sentence() -> None:
    paths = [path for path, _ in described_keys()]
    assert len(set(paths)) == len(paths)
    assert {"server.port", "models.<id>.prices[].from", "routes.<name>.policy", "aliases"} <= set(paths)
    assert all(key.about.endswith(".") for _, key in described_keys())
    assert {key.name for key in ROOT.keys} <= set(paths)


def test_json_schema_is_one_and_takes_the_example() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    VALIDATOR.validate(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "text",
    ["server: {port: '${PORT}'}", "server:", "upstream: {api_token_file: x}", "models: {m: {max_content_chars: null}}"],
)
def test_json_schema_takes_what_load_takes(text: str) -> None:
    assert VALIDATOR.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "sever: {}",
        "server: {port: 70000}",
        "server: {port: '80'}",
        "upstream: {client: curl}",
        "models: {m: {prices: [{from: 'x'}]}}",
        "routes: {r: {models: []}}",
    ],
)
def test_json_schema_refuses_what_load_refuses(text: str) -> None:
    assert not VALIDATOR.is_valid(yaml.safe_load(text))
