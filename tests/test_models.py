"""`/v1/models` in OpenAI's shape: every route and model once, the price in force, what is past its date."""

from typing import Any

import openai.types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.access import Access
from gateway.core.catalog import Catalog, Model, Price, Route
from gateway.core.eligibility import NOTHING_LEARNED, Learned
from gateway.models import find_model, list_models

DAY = 86_400
OLD = Model(
    "@cf/a/old",
    8_000,
    (Price("p1", 0, "inferred from its size", 282_000_000, 827_000_000), Price("p2", 10 * DAY, "page", 1, 2)),
    names=("old",),
    capabilities=frozenset({"tools", "stream"}),
    deprecated_on=20 * DAY,
    successor="@cf/a/new",
)
NEW = Model("@cf/a/new", 128_000, (Price("p", 0, "page", 45_000_000, 384_000_000),), window_source="disputed")
CATALOG = Catalog(
    {model.id: model for model in (OLD, NEW)},
    {"auto": Route("auto", (OLD.id, NEW.id)), "small": Route("small", (OLD.id,), "ordered")},
    {"gpt-4o-mini": "auto", "tiny": "small"},
)


def test_list_models_has_routes_first_and_everything_once() -> None:
    listed = list_models(CATALOG, 0)
    assert listed["object"] == "list"
    data = listed["data"]
    assert isinstance(data, list)
    assert [entry["id"] for entry in data] == ["auto", "small", OLD.id, NEW.id]
    for entry in data:
        openai.types.Model.model_validate(entry, strict=True)


def test_find_model_route_tells_its_models_aliases_and_largest_window() -> None:
    found = find_model(CATALOG, "gpt-4o-mini", 0)
    assert found is not None
    assert (found["id"], found["owned_by"], found["policy"]) == ("auto", "gateway", "cheapest")
    assert found["models"] == [OLD.id, NEW.id]
    assert found["aliases"] == ["gpt-4o-mini"]
    assert found["context_window"] == 128_000


@pytest.mark.parametrize(
    ("now", "price", "is_certain", "is_deprecated"),
    [
        (0, (0.282, 0.827), False, False),
        (10 * DAY, (1e-9, 2e-9), True, False),
        (20 * DAY - 1, (1e-9, 2e-9), True, False),
        (20 * DAY, (1e-9, 2e-9), True, True),
    ],
)
def test_find_model_price_and_deprecation_follow_the_day(
    now: int, price: tuple[float, float], is_certain: bool, is_deprecated: bool
) -> None:
    found = find_model(CATALOG, "old", now)
    assert found is not None
    assert found["capabilities"] == ["stream", "tools"]
    assert (found["deprecated"], found["successor"]) == (is_deprecated, "@cf/a/new")
    told = found["price"]
    assert isinstance(told, dict)
    assert (told["input_per_mtok"], told["output_per_mtok"]) == price
    assert told["is_certain"] is is_certain


def test_find_model_without_a_date_is_never_deprecated() -> None:
    found = find_model(CATALOG, NEW.id, 1e12)
    assert found is not None
    assert (found["deprecated"], found["context_window_source"]) == (False, "disputed")


@pytest.mark.parametrize(
    ("now", "learned", "status"),
    [
        (0, NOTHING_LEARNED, "active"),
        (20 * DAY, NOTHING_LEARNED, "deprecated"),
        (0, Learned(retired={OLD.id: 20.0 * DAY}), "retired"),
        (10, Learned(resting={OLD.id: 11.0}), "resting"),
        (10, Learned(resting={OLD.id: 10.0}), "active"),
    ],
)
def test_find_model_status_is_what_was_learned(now: int, learned: Learned, status: str) -> None:
    found = find_model(CATALOG, "old", now, learned)
    assert found is not None
    assert (found["status"], found["shutdown_date"]) == (status, "1970-01-21")
    listed = list_models(CATALOG, now, learned)["data"]
    assert isinstance(listed, list)
    assert found in listed


def test_find_model_window_is_the_learned_one() -> None:
    found = find_model(CATALOG, NEW.id, 0, Learned(windows={NEW.id: 24_000}))
    assert found is not None
    assert (found["context_window"], found["context_window_source"]) == (24_000, "learned")


@given(st.text(max_size=30))
def test_find_model_any_name_finds_what_the_catalogue_resolves(name: str) -> None:
    assert (find_model(CATALOG, name, 0) is None) is (CATALOG.resolve(name) is None)


def listed_for(access: Access) -> dict[str, Any]:  # entries of the list, by id
    data = list_models(CATALOG, 0, access=access)["data"]
    assert isinstance(data, list)
    return {entry["id"]: entry for entry in data}


def test_list_models_shows_what_the_key_may_use() -> None:
    found = listed_for(Access(models=frozenset({NEW.id})))
    assert set(found) == {"auto", NEW.id}
    assert found["auto"]["models"] == [NEW.id]
    assert set(listed_for(Access(routes=frozenset({"tiny"})))) == {"small"}
    assert listed_for(Access(models=frozenset())) == {}
    assert find_model(CATALOG, OLD.id, 0, access=Access(models=frozenset({NEW.id}))) is None


def test_list_models_marks_the_default_route() -> None:
    found = listed_for(Access(default_route="gpt-4o-mini"))
    assert [name for name, entry in found.items() if entry["is_default"]] == ["auto"]


def test_find_model_route_tells_prices_capabilities_and_status_of_its_models() -> None:
    found = find_model(CATALOG, "auto", 0, Learned(resting={NEW.id: 9.0}, windows={NEW.id: 24_000}))
    assert found is not None
    assert (found["capabilities"], found["status"], found["context_window"]) == (["stream", "tools"], "active", 24_000)
    assert (found["price"]["input_per_mtok"], found["price"]["highest_input_per_mtok"]) == (0.045, 0.282)
    tired = Learned(resting={NEW.id: 9.0, OLD.id: 9.0})
    assert (find_model(CATALOG, "auto", 0, tired) or {})["status"] == "resting"
