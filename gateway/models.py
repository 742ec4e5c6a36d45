"""`/v1/models`: what a client may put into `model`, in OpenAI's shape with the catalogue's facts beside it. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.core.access import EVERYTHING, Access
from gateway.core.catalog import Catalog, Model, Price, Route
from gateway.core.eligibility import NOTHING_LEARNED, Learned

Entry = dict[str, Any]  # a JSON object, its fields as unlike as JSON's

_RELEASED = 1_721_692_800  # 2024-07-23, the release of Llama 3.1: OpenAI's shape wants a creation time
_NANO = 1_000_000_000
_BEST_FIRST = ("active", "deprecated", "resting")  # a route is as well as the best of its models


def list_models(
    catalog: Catalog, now: float, learned: Learned = NOTHING_LEARNED, access: Access = EVERYTHING
) -> dict[str, object]:
    """Routes first, then models, of what may be used. `now` is unix seconds: it decides the price in force."""
    alone = [Route(model_id, (model_id,)) for model_id in catalog.models]
    found = [_describe(route, catalog, now, learned, access) for route in (*catalog.routes.values(), *alone)]
    return {"object": "list", "data": [entry for entry in found if entry is not None]}


def find_model(
    catalog: Catalog, name: str, now: float, learned: Learned = NOTHING_LEARNED, access: Access = EVERYTHING
) -> Entry | None:
    """One entry by any of its names, None for a name nobody has or that may not be asked for."""
    route = catalog.resolve(name)
    return None if route is None else _describe(route, catalog, now, learned, access)


def _describe(route: Route, catalog: Catalog, now: float, learned: Learned, access: Access) -> Entry | None:
    aliases = [alias for alias in catalog.aliases if catalog.resolve(alias) == route]
    models = [catalog.models[model_id] for model_id in route.models if access.may_serve(catalog.models[model_id])]
    if not models or not any(access.may_ask_for(name, route, catalog) for name in (route.name, *aliases)):
        return None
    default = catalog.resolve(access.default_route) if access.default_route else None
    is_default = default is not None and default.name == route.name
    if route.name not in catalog.routes:
        return {**_describe_model(catalog.models[route.name], now, learned), "is_default": is_default}
    entries = [_describe_model(model, now, learned) for model in models]
    return {**_describe_route(route, models, entries, now), "aliases": aliases, "is_default": is_default}


def _describe_route(route: Route, models: Sequence[Model], described: Sequence[Entry], now: float) -> Entry:
    """What the route's models offer together: the largest window, the lowest and highest prices, all capabilities."""
    prices = [model.price_at(now) for model in models]
    statuses = [entry["status"] for entry in described]
    return {
        **_entry(route.name, "gateway"),
        "policy": route.policy,
        "models": [model.id for model in models],
        "context_window": max(entry["context_window"] for entry in described),
        "capabilities": sorted({capability for model in models for capability in model.capabilities}),
        "price": {
            "currency": "USD",
            "input_per_mtok": min(price.input_nano_per_mtok for price in prices) / _NANO,
            "output_per_mtok": min(price.output_nano_per_mtok for price in prices) / _NANO,
            "highest_input_per_mtok": max(price.input_nano_per_mtok for price in prices) / _NANO,
            "highest_output_per_mtok": max(price.output_nano_per_mtok for price in prices) / _NANO,
        },
        "status": next((status for status in _BEST_FIRST if status in statuses), "retired"),
        "max_cost_usd": route.max_cost_usd,
    }


def _describe_model(model: Model, now: float, learned: Learned) -> Entry:
    is_deprecated = model.deprecated_on is not None and model.deprecated_on <= now
    return {
        **_entry(model.id, "cloudflare"),
        "aliases": list(model.names),
        "context_window": learned.windows.get(model.id, model.window_tokens),
        "context_window_source": "learned" if model.id in learned.windows else model.window_source,
        "capabilities": sorted(model.capabilities),
        "price": _describe_price(model.price_at(now)),
        "status": _status(model, now, learned) or ("deprecated" if is_deprecated else "active"),
        "deprecated": is_deprecated,
        "shutdown_date": _shutdown_date(model, learned),
        "successor": model.successor,
    }


def _status(model: Model, now: float, learned: Learned) -> str | None:
    if model.id in learned.retired:
        return "retired"
    return "resting" if learned.resting.get(model.id, 0.0) > now else None


def _shutdown_date(model: Model, learned: Learned) -> str | None:
    """The published day, else the one on which the model was found retired."""
    moment = model.deprecated_on or learned.retired.get(model.id)
    return None if moment is None else _day(moment)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _describe_price(price: Price) -> dict[str, object]:
    return {
        "currency": "USD",
        "input_per_mtok": price.input_nano_per_mtok / _NANO,
        "output_per_mtok": price.output_nano_per_mtok / _NANO,
        "source": price.source,
        "is_certain": price.is_certain,
    }


def _entry(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": _RELEASED, "owned_by": owner}
