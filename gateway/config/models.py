"""The catalogue: the built-in models, routes and aliases with the configuration's changes on top.

Decides which models, routes and names exist, and what is wrong with those a configuration asks for. A built-in entry
is changed key by key; `enabled: false` removes one. Reads nothing but the data file beside it.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gateway.config.catalog_schema import CATALOG
from gateway.config.document import Reading, compose
from gateway.config.kinds import Value
from gateway.config.problems import did_you_mean, joined
from gateway.core.catalog import Catalog, Model, Price, Route

Entries = dict[str, dict[str, Value]]


def _built_in() -> dict[str, Value]:
    root = compose(files("gateway.config").joinpath("catalog.yaml").read_text(encoding="utf-8"))
    reading = Reading({}, Path("/"))
    found: dict[str, Value] = CATALOG.read(root, "", reading) if root else {}
    if reading.problems:
        raise AssertionError(f"catalog.yaml: {reading.problems[0]}")
    return found


BUILT_IN: Final = MappingProxyType(_built_in())


@dataclass(slots=True)
class CatalogBuild:
    """Puts one catalogue together; problems go to `reading`."""

    given: dict[str, Value]
    reading: Reading
    models: dict[str, Model] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # id or short name → id
    removed: set[str] = field(default_factory=set)  # ids and short names of what `enabled: false` took away

    def catalog(self, *, with_aliases: bool) -> Catalog:
        """The catalogue. `with_aliases` puts the built-in aliases in force, which only the demo does."""
        entries = _merged(BUILT_IN["models"], self.given.get("models", {}))
        enabled = {model_id: entry for model_id, entry in entries.items() if entry.get("enabled", True)}
        for model_id in entries.keys() - enabled.keys():
            self.removed |= {model_id, _ending(model_id), *entries[model_id].get("names", ())}
        self._name(enabled)
        for model_id, entry in enabled.items():
            self._add(model_id, entry)
        routes = self._routes()
        built_in_aliases = BUILT_IN["aliases"] if with_aliases else {}
        return Catalog(self.models, routes, {**built_in_aliases, **self._aliases(routes)})

    def _name(self, entries: Entries) -> None:
        """Give out short names: the one in the id where no other id ends so, then those asked for."""
        self.names = {model_id: model_id for model_id in entries}
        endings = [_ending(model_id) for model_id in entries]
        self.names |= {_ending(model_id): model_id for model_id in entries if endings.count(_ending(model_id)) == 1}
        for model_id, entry in entries.items():
            for name in entry.get("names", ()):
                owner = self.names.setdefault(name, model_id)
                if owner != model_id:
                    path = joined(joined("models", model_id), "names")
                    self.reading.refuse(path, f"{name} already stands for {owner}")

    def _add(self, model_id: str, entry: dict[str, Value]) -> None:
        path = joined("models", model_id)
        missing = [key for key in ("window_tokens", "prices") if not entry.get(key)]
        for key in missing:
            if joined(path, key) not in self.reading.lines:  # else its own problem is noted already
                self.reading.refuse(path, f"needs the key {key}", "the model is not built in")
        if missing:
            return
        own = {key: value for key, value in entry.items() if key not in ("enabled", "names", "prices", "capabilities")}
        names = tuple(name for name, owner in self.names.items() if owner == model_id and name != model_id)
        prices = self._prices(model_id, entry["prices"])
        if prices:
            self.models[model_id] = Model(
                id=model_id,
                names=names,
                prices=prices,
                capabilities=frozenset(entry.get("capabilities", ())),
                **{"template": "other", **own},
            )

    def _prices(self, model_id: str, entries: tuple[dict[str, Value], ...]) -> tuple[Price, ...]:
        path = joined(joined("models", model_id), "prices")
        needed = ("from", "source", "input_usd_per_mtok", "output_usd_per_mtok")
        whole = [entry for entry in entries if all(key in entry for key in needed)]
        starts = [entry["from"] for entry in whole]
        if len(set(starts)) != len(starts):
            self.reading.refuse(path, "two prices start on the same day")
        return tuple(_price(model_id, entry) for entry in sorted(whole, key=lambda entry: int(entry["from"])))

    def _routes(self) -> dict[str, Route]:
        """Routes merely lose the models that were removed; one that loses all must not have been asked for."""
        given: Entries = self.given.get("routes", {})
        routes: dict[str, Route] = {}
        for name, entry in _merged(BUILT_IN["routes"], given).items():
            words = entry.get("models", ())
            listed = joined(joined("routes", name), "models")
            wanted = [self._model_of(joined(listed, index), word) for index, word in enumerate(words)]
            models = tuple(dict.fromkeys(model_id for model_id in wanted if model_id in self.models))
            if models:
                routes[name] = self._route(name, models, entry)
            elif name in given and self.removed.issuperset(words):
                self.reading.refuse(joined("routes", name), "has no models" if words else "needs the key models")
        return routes

    def _route(self, name: str, models: tuple[str, ...], entry: dict[str, Value]) -> Route:
        rest = {key: value for key, value in entry.items() if key not in ("models", "weights", "max_cost_usd")}
        given: dict[str, float] = entry.get("weights", {})
        path = joined(joined("routes", name), "weights")
        if entry.get("policy") == "weighted":
            weights = {self._model_of(joined(path, word), word): weight for word, weight in given.items()}
        else:
            weights = given
            if given.keys() - {"cost", "speed"} or (given and entry.get("policy") != "balanced"):
                self.reading.refuse(path, "weights are of models under `weighted`, of cost and speed under `balanced`")
        return Route(name, models, weights=weights, max_cost_nano=entry.get("max_cost_usd"), **rest)

    def _model_of(self, path: str, word: str) -> str:
        """The id behind a word at `path`; empty where there is none."""
        if word not in self.names and word not in self.removed:
            self.reading.refuse(path, f"there is no model {word}", did_you_mean(word, self.names))
        return self.names.get(word, "")

    def _aliases(self, routes: dict[str, Route]) -> dict[str, str]:
        given: dict[str, str] = self.given.get("aliases", {})
        known = {*routes, *self.names}
        for alias, target in given.items():
            path = joined("aliases", alias)
            if alias in routes:
                self.reading.refuse(path, "is a route already")
            if target not in known and target not in self.given.get("routes", {}):
                self.reading.refuse(path, f"there is no route or model {target}", did_you_mean(target, known))
        return dict(given)


def _ending(model_id: str) -> str:
    return model_id.rsplit("/", 1)[-1]


def _merged(built_in: Entries, given: Entries) -> Entries:
    """Both, entry by entry and key by key; `ranges` parameter by parameter."""
    found: Entries = {name: dict(entry) for name, entry in built_in.items()}
    for name, entry in given.items():
        before = found.get(name, {})
        found[name] = {**before, **entry}
        if "window_tokens" in entry and "window_source" not in entry:
            found[name]["window_source"] = "configured"
        if "ranges" in entry:
            found[name]["ranges"] = {**before.get("ranges", {}), **entry["ranges"]}
    return found


def _price(model_id: str, entry: dict[str, Value]) -> Price:
    first_day = (date(1970, 1, 1) + timedelta(seconds=entry["from"])).isoformat()
    return Price(
        id=f"{_ending(model_id)}@{first_day}",
        start=entry["from"],
        source=entry["source"],
        input_nano_per_mtok=entry["input_usd_per_mtok"],
        output_nano_per_mtok=entry["output_usd_per_mtok"],
        cached_nano_per_mtok=entry.get("cached_usd_per_mtok"),
    )
