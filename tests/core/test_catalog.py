"""The catalogue: names, and the price in force."""

import pytest

from gateway.core.catalog import Catalog, Model, Price, Route

OLD = Price("m@1", 1_000, "price page", 1, 2)
NEW = Price("m@2", 2_000, "inferred: as x", 3, 4)
MODEL = Model("@cf/a/m", 8_192, (OLD, NEW), names=("m", "em"))
OTHER = Model("@cf/a/o", 8_192, (OLD,), names=("o",))
AUTO = Route("auto", ("@cf/a/m", "@cf/a/o"))
CATALOG = Catalog(
    {MODEL.id: MODEL, OTHER.id: OTHER},
    {"auto": AUTO},
    {"gpt": "auto", "o": "auto", "short": "em", "full": "@cf/a/o", "lost": "nowhere"},
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auto", AUTO),
        ("gpt", AUTO),
        ("@cf/a/m", Route("@cf/a/m", ("@cf/a/m",))),
        ("m", Route("@cf/a/m", ("@cf/a/m",))),
        ("em", Route("@cf/a/m", ("@cf/a/m",))),
        ("short", Route("@cf/a/m", ("@cf/a/m",))),
        ("full", Route("@cf/a/o", ("@cf/a/o",))),
        ("@cf%2Fa%2Fm", Route("@cf/a/m", ("@cf/a/m",))),
        ("%40cf/a/m", Route("@cf/a/m", ("@cf/a/m",))),
        ("o", AUTO),
        ("lost", None),
        ("nowhere", None),
        ("", None),
        ("AUTO", None),
    ],
)
def test_resolve_name_gives_route(name: str, expected: Route | None) -> None:
    assert CATALOG.resolve(name) == expected


@pytest.mark.parametrize(("moment", "expected"), [(0, OLD), (1_000, OLD), (1_999.9, OLD), (2_000, NEW), (9e9, NEW)])
def test_price_at_moment_is_the_latest_started(moment: float, expected: Price) -> None:
    assert MODEL.price_at(moment) == expected


@pytest.mark.parametrize(
    ("source", "expected"), [("price page", True), ("inferred: as x", False), ("disputed: two pages", False)]
)
def test_price_source_says_whether_it_is_certain(source: str, expected: bool) -> None:
    assert Price("p", 0, source, 1, 1).is_certain is expected
