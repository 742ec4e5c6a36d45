"""Every effective value of a configuration with the place it comes from, secrets taken out. Pure.

Walks the table of keys (schema.py) over the finished settings, so what is shown is what is in force, not what was
written. No secret leaves this module: a credential becomes `***`, a URL loses its user, password and query.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.config.kinds import Scalar, Section, Value
from gateway.config.load import Loaded
from gateway.config.problems import joined
from gateway.config.schema import ROOT
from gateway.core.catalog import Price, Range

HIDDEN: Final = "***"

# Where a key's value does not lie in settings.py under the key's own path.
_ELSEWHERE: Final = {"tokenizer.path": "tokenizer_path"}
# Secrets that are shown in no part; of other secret URLs the place is shown.
_HIDDEN_WHOLE: Final = ("alerts.webhook_url",)
_CATALOG: Final = ("models", "routes", "aliases")
# What a model's entry says beside plain attributes of the same name.
_MODEL_KEYS: Final = (
    "names",
    "window_tokens",
    "window_source",
    "template",
    "capabilities",
    "ranges",
    "max_content_chars",
    "tools_shape",
    "json_mode",
    "neurons_in_per_mtok",
    "neurons_out_per_mtok",
    "requests_per_minute",
    "deprecated_on",
    "successor",
    "prices",
)
_ROUTE_KEYS: Final = ("policy", "models", "max_attempts", "weights", "max_cost_usd", "fallback_for_pinned")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(.*@)?([^?#]*)(.*)", re.DOTALL)


@dataclass(slots=True, frozen=True)
class EffectiveValue:
    """One value in force. `line` is the file's; `variables` the environment's names in it; neither: built in."""

    path: str
    value: object  # JSON
    line: int | None
    variables: tuple[str, ...]

    @property
    def origin(self) -> str:
        """The place, in words."""
        environment = ", ".join(f"${name}" for name in self.variables)
        if self.line is None:
            return environment or "default"
        return f"line {self.line}" + (f" ({environment})" if environment else "")


def effective_values(loaded: Loaded) -> list[EffectiveValue]:
    """Everything in force, in the order of the documentation; models, routes and aliases last."""
    plain = [key for key in ROOT.keys if key.name not in _CATALOG]
    found = list(_section(Section(tuple(plain)), "", loaded.settings, loaded))
    catalog = loaded.settings.catalog
    for model in catalog.models.values():
        path = joined("models", model.id)
        found += [_effective(joined(path, name), getattr(model, name), loaded) for name in _MODEL_KEYS]
    for route in catalog.routes.values():
        path = joined("routes", route.name)
        found += [_effective(joined(path, name), getattr(route, name), loaded) for name in _ROUTE_KEYS]
    found += [_effective(joined("aliases", name), target, loaded) for name, target in catalog.aliases.items()]
    return found


def without_secrets(text: str, *, is_secret: bool) -> str:
    """A text fit to be shown: a URL without user, password and query; any other secret not at all."""
    url = _URL.fullmatch(text)
    if url:
        scheme, user, place, query = url.groups()
        return f"{scheme}{HIDDEN + '@' if user else ''}{place}{'?' + HIDDEN if query else ''}"
    return HIDDEN if is_secret and text else text


def _section(section: Section, path: str, values: Value, loaded: Loaded) -> Iterator[EffectiveValue]:
    for key in section.keys:
        below = joined(path, key.name)
        if below in _ELSEWHERE:
            yield _effective(below, getattr(loaded.settings, _ELSEWHERE[below]), loaded)
        elif isinstance(key.kind, Section):
            # The one section that has no settings of its own holds only keys found elsewhere.
            yield from _section(key.kind, below, getattr(values, key.name, values), loaded)
        else:
            value = getattr(values, key.name)
            if below in _HIDDEN_WHOLE and value:
                value = HIDDEN
            is_secret = isinstance(key.kind, Scalar) and key.kind.is_secret and value != key.default
            yield _effective(below, value, loaded, is_secret=is_secret)


def _effective(path: str, value: Value, loaded: Loaded, *, is_secret: bool = False) -> EffectiveValue:
    shown = _plain(value)
    if isinstance(shown, str):
        shown = without_secrets(shown, is_secret=is_secret)
    if path.endswith(".deprecated_on") and isinstance(shown, int):
        shown = _day(shown)
    line = loaded.lines.get(path, loaded.lines.get(f"{path}_file"))
    variables = loaded.variables.get(path, loaded.variables.get(f"{path}_file", []))
    return EffectiveValue(path, shown, line, tuple(dict.fromkeys(variables)))


def _plain(value: Value) -> object:
    """A setting as JSON."""
    if isinstance(value, Price):
        return {
            "from": _day(value.start),
            "source": value.source,
            "input_usd_per_mtok": _usd(value.input_nano_per_mtok),
            "output_usd_per_mtok": _usd(value.output_nano_per_mtok),
        } | ({} if value.cached_nano_per_mtok is None else {"cached_usd_per_mtok": _usd(value.cached_nano_per_mtok)})
    if isinstance(value, Range):
        return [value.minimum, value.maximum]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _usd(nano: int) -> str:
    """Nano-dollars as dollars, exact."""
    return f"{nano // 10**9}.{nano % 10**9:09d}".rstrip("0").ljust(4, "0")


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
