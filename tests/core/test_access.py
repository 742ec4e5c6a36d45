"""What may be asked for and what may serve, by every combination of lists."""

import pytest

from gateway.core.access import EVERYTHING, Access
from gateway.core.catalog import Catalog, Model, Price, Route

PRICES = (Price("p", 0, "page", 1, 1),)
A, B = Model("@cf/x/a", 1000, PRICES, names=("a",)), Model("@cf/x/b", 1000, PRICES)
CATALOG = Catalog(
    {A.id: A, B.id: B}, {"auto": Route("auto", (A.id, B.id)), "large": Route("large", (B.id,))}, {"gpt": "auto"}
)
NAMES = ("auto", "gpt", "large", A.id, "a", B.id)


def asked(access: Access) -> set[str]:
    routes = {name: CATALOG.resolve(name) for name in NAMES}
    return {name for name, route in routes.items() if route and access.may_ask_for(name, route, CATALOG)}


@pytest.mark.parametrize(
    ("access", "serving", "names"),
    [
        (EVERYTHING, {A.id, B.id}, set(NAMES)),
        (Access(models=frozenset({A.id})), {A.id}, {"auto", "gpt", "large", A.id, "a"}),
        (Access(models=frozenset({"a"})), {A.id}, {"auto", "gpt", "large", A.id, "a"}),
        (Access(routes=frozenset({"auto"})), {A.id, B.id}, {"auto", "gpt"}),
        (Access(routes=frozenset({"gpt"})), {A.id, B.id}, {"gpt"}),
        (Access(frozenset({B.id}), frozenset({"large"})), {B.id}, {"large", B.id}),
        (Access(frozenset(), None), set(), {"auto", "gpt", "large"}),
        (Access(None, frozenset()), {A.id, B.id}, set()),
    ],
)
def test_access_allows_what_the_lists_say(access: Access, serving: set[str], names: set[str]) -> None:
    assert {model.id for model in (A, B) if access.may_serve(model)} == serving
    assert asked(access) == names
