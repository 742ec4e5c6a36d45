"""Models as callers name them: by id or short name. Pure."""

from collections.abc import Iterable

from gateway.core.catalog import Catalog
from gateway.organization.parameters import invalid_value


def model_id(name: str, catalog: Catalog, parameter: str) -> str:
    """The id of a model of the catalogue. Raises InvalidRequest with the ids there are."""
    route = catalog.resolve(name)
    if route is None or route.name not in catalog.models:
        raise invalid_value(parameter, name, tuple(catalog.models))
    return route.name


def model_ids(names: Iterable[str], catalog: Catalog, parameter: str) -> tuple[str, ...]:
    """The ids of several, each once. Raises InvalidRequest."""
    return tuple(dict.fromkeys(model_id(name, catalog, parameter) for name in names))
