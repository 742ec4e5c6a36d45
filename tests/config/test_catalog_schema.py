"""The catalogue's keys: every published parameter may have bounds, every model key is a field of the model."""

from pathlib import Path

from gateway.config.catalog_schema import CATALOG, CATALOG_KEYS, PARAMETERS
from gateway.config.load import load
from gateway.config.schema import ROOT


def test_catalog_keys_are_part_of_the_whole_table() -> None:
    assert {key.name for key in CATALOG_KEYS} == {"models", "routes", "aliases"}
    assert CATALOG.keys == CATALOG_KEYS
    assert all(key in ROOT.keys for key in CATALOG_KEYS)


def test_parameters_have_bounds_in_the_built_in_catalogue(tmp_path: Path) -> None:
    models = load("", {}, tmp_path, demo=False).catalog.models.values()
    assert all(set(model.ranges) <= set(PARAMETERS) for model in models)
