"""What a key may use: the models that may serve it, and the names it may ask for.

Made of the rules of key and project, once per identity; asked for every candidate of every plan and by /v1/models.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.catalog import Catalog, Model, Route


@dataclass(slots=True, frozen=True)
class Access:
    """Allow-lists; None allows all. Models are named by id or short name, routes by name or alias.

    `project_id` is whose lists they are, for the refusal; `default_route` is asked for where a request names no model.
    """

    models: frozenset[str] | None = None
    routes: frozenset[str] | None = None
    project_id: str = ""
    default_route: str | None = None

    def may_serve(self, model: Model) -> bool:
        """Whether the model may answer, as first choice or as fallback."""
        return self.models is None or model.id in self.models or not self.models.isdisjoint(model.names)

    def may_ask_for(self, name: str, route: Route, catalog: Catalog) -> bool:
        """Whether `name`, which stands for `route`, may be put into `model`.

        A list of routes leaves nothing else to be asked for: a model by its own name only where the models are listed,
        too, and it is one of them.
        """
        if route.name not in catalog.routes:
            is_listed = self.models is not None or self.routes is None
            return is_listed and self.may_serve(catalog.models[route.name])
        return self.routes is None or route.name in self.routes or name in self.routes


EVERYTHING: Final = Access()
