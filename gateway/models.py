"""`/v1/models`: what a client may put into `model`, in OpenAI's shape with the catalogue's facts beside it. Pure."""

from gateway.core.catalog import Catalog, Model, Price, Route

_RELEASED = 1_721_692_800  # 2024-07-23, the release of Llama 3.1: OpenAI's shape wants a creation time
_NANO = 1_000_000_000


def list_models(catalog: Catalog, now: float) -> dict[str, object]:
    """Routes first, then models. `now` is unix seconds: it decides the price in force."""
    routes = [_describe_route(route, catalog) for route in catalog.routes.values()]
    return {"object": "list", "data": routes + [_describe_model(model, now) for model in catalog.models.values()]}


def find_model(catalog: Catalog, name: str, now: float) -> dict[str, object] | None:
    """One entry by any of its names, None for a name nobody has."""
    route = catalog.resolve(name)
    if route is None:
        return None
    if route.name in catalog.routes:
        return _describe_route(route, catalog)
    return _describe_model(catalog.models[route.name], now)


def _describe_route(route: Route, catalog: Catalog) -> dict[str, object]:
    aliases = [alias for alias in catalog.aliases if catalog.resolve(alias) is route]
    return {
        **_entry(route.name, "gateway"),
        "policy": route.policy,
        "models": list(route.models),
        "aliases": aliases,
        "context_window": max(catalog.models[model_id].window_tokens for model_id in route.models),
    }


def _describe_model(model: Model, now: float) -> dict[str, object]:
    return {
        **_entry(model.id, "cloudflare"),
        "aliases": list(model.names),
        "context_window": model.window_tokens,
        "context_window_source": model.window_source,
        "capabilities": sorted(model.capabilities),
        "price": _describe_price(model.price_at(now)),
        "deprecated": model.deprecated_on is not None and model.deprecated_on <= now,
        "successor": model.successor,
    }


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
