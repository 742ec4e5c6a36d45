"""The free endpoints around the run API: the model catalogue with its properties, and the usage analytics. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.simulator.models import SimulatedModel
from gateway.simulator.record import DayUse

Json = dict[str, Any]  # a JSON object of an answer

TASK = {"id": "c329a1f9-323d-4e91-b2aa-582dd4188d34", "name": "Text Generation"}
_DATASET = "aiInferenceAdaptiveGroups"
_FILTER = re.compile(
    r"\b(?P<name>date|datetime|datetimeHour|datetimeMinute)(?:_(?P<relation>geq|leq|gt|lt))?\s*:\s*"
    r"(?:\$(?P<variable>\w+)|[\"'](?P<literal>[^\"']+)[\"'])"
)
_SUM_FIELDS = ("totalNeurons", "totalInputTokens", "totalOutputTokens", "totalRequests")


def search(models: Iterable[SimulatedModel], query: Mapping[str, str]) -> Json:
    """One page of the catalogue. `search`, `task`, `page` and `per_page` are read from the query."""
    wanted = query.get("search", "").lower()
    found = [model for model in models if wanted in model.id.lower()]
    if query.get("task") not in (None, "", TASK["name"]):
        found = []
    page, size = _positive(query.get("page"), 1), min(_positive(query.get("per_page"), 50), 100)
    part = found[(page - 1) * size : page * size]
    info = {
        "page": page,
        "per_page": size,
        "count": len(part),
        "total_count": len(found),
        "total_pages": -(-len(found) // size),
    }
    entries = [_entry(model) for model in part]
    return {"result": entries, "result_info": info, "success": True, "errors": [], "messages": []}


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() and int(text) > 0 else default


def _entry(model: SimulatedModel) -> Json:
    price = [
        {"unit": "per M input tokens", "price": model.prices[0], "currency": "USD"},
        {"unit": "per M output tokens", "price": model.prices[1], "currency": "USD"},
    ]
    properties: list[Json] = [
        {"property_id": "context_window", "value": str(model.window_tokens)},
        {"property_id": "price", "value": price},
    ]
    if model.deprecated_on:
        properties.append({"property_id": "planned_deprecation_date", "value": model.deprecated_on})
    if model.loras:
        properties.append({"property_id": "lora", "value": "true"})
    return {
        "id": model.catalogue_id,
        "source": 1,
        "name": model.id,
        "description": "Played by the simulator",
        "task": TASK,
        "tags": [],
        "created_at": "2025-01-01 00:00:00.000",
        "properties": properties,
    }


def analytics(days: Mapping[tuple[str, str], DayUse], body: Json) -> Json:
    """The answer to a usage query: sums per requested dimension, within the requested days."""
    query = str(body.get("query", ""))
    if _DATASET not in query:
        return {"data": None, "errors": [{"message": f"unknown field; only {_DATASET} is served"}]}
    variables = body.get("variables")
    bounds = _bounds(query, variables if isinstance(variables, dict) else {})
    dimensions = [name for name in ("date", "modelId") if _asks_for(query, name)]
    groups: dict[tuple[str, ...], DayUse] = {}
    for (day, model), use in sorted(days.items()):
        if not all(_holds(day, relation, bound) for relation, bound in bounds):
            continue
        values = {"date": day, "modelId": model}
        total = groups.setdefault(tuple(values[name] for name in dimensions), DayUse())
        total.requests += use.requests
        total.prompt_tokens += use.prompt_tokens
        total.completion_tokens += use.completion_tokens
        total.neurons += use.neurons
    rows = [_row(dict(zip(dimensions, key, strict=True)), use) for key, use in groups.items()]
    alias = re.search(rf"(\w+)\s*:\s*{_DATASET}", query)
    return {"data": {"viewer": {"accounts": [{alias[1] if alias else _DATASET: rows}]}}, "errors": None}


def _asks_for(query: str, dimension: str) -> bool:
    asked = re.search(r"dimensions\s*\{([^}]*)\}", query)
    return asked is not None and dimension in asked[1].split()


def _bounds(query: str, variables: Json) -> list[tuple[str, str]]:
    found = [
        (match["relation"] or "eq", str(match["literal"] or variables.get(match["variable"], "")))
        for match in _FILTER.finditer(query)
    ]
    whole = variables.get("filter")  # clients also pass the filter as one object
    for name, value in whole.items() if isinstance(whole, dict) else ():
        found.append((name.rpartition("_")[2] if "_" in name else "eq", str(value)))
    return [(relation, bound[:10]) for relation, bound in found if bound[:4].isdigit()]


def _holds(day: str, relation: str, bound: str) -> bool:
    if relation == "gt":
        return day > bound
    if relation == "lt":
        return day < bound
    return {"geq": day >= bound, "leq": day <= bound}.get(relation, day == bound)


def _row(dimensions: Json, use: DayUse) -> Json:
    sums = (use.neurons, use.prompt_tokens, use.completion_tokens, use.requests)
    return {
        "count": use.requests,
        "dimensions": dimensions,
        "sum": dict(zip(_SUM_FIELDS, sums, strict=True)),
    }
