"""`/v1/models`: what a client may put into `model`, in OpenAI's shape with the catalogue's facts beside it. Pure."""

from datetime import UTC, datetime

from gateway.core.catalog import Catalog, Model, Price, Route
from gateway.core.eligibility import NOTHING_LEARNED, Learned

_RELEASED = 1_721_692_800  # 2024-07-23, the release of Llama 3.1: OpenAI's shape wants a creation time
_NANO = 1_000_000_000


def list_models(catalog: Catalog, now: float, learned: Learned = NOTHING_LEARNED) -> dict[str, object]:
    """Routes first, then models. `now` is unix seconds: it decides the price in force."""
    routes = [_describe_route(route, catalog) for route in catalog.routes.values()]
    models = [_describe_model(model, now, learned) for model in catalog.models.values()]
    return {"object": "list", "data": routes + models}


def find_model(catalog: Catalog, name: str, now: float, learned: Learned = NOTHING_LEARNED) -> dict[str, object] | None:
    """One entry by any of its names, None for a name nobody has."""
    route = catalog.resolve(name)
    if route is None:
        return None
    if route.name in catalog.routes:
        return _describe_route(route, catalog)
    return _describe_model(catalog.models[route.name], now, learned)


def _describe_route(route: Route, catalog: Catalog) -> dict[str, object]:
    aliases = [alias for alias in catalog.aliases if catalog.resolve(alias) is route]
    return {
        **_entry(route.name, "gateway"),
        "policy": route.policy,
        "models": list(route.models),
        "aliases": aliases,
        "context_window": max(catalog.models[model_id].window_tokens for model_id in route.models),
    }


def _describe_model(model: Model, now: float, learned: Learned) -> dict[str, object]:
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
        "shutdown_date": None if model.deprecated_on is None else _day(model.deprecated_on),
        "successor": model.successor,
    }


def _status(model: Model, now: float, learned: Learned) -> str | None:
    if model.id in learned.retired:
        return "retired"
    return "resting" if learned.resting.get(model.id, 0.0) > now else None


def _day(moment: int) -> str:
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
