"""Reads a configuration and refuses what it asks of extras that are not installed: told before a worker meets it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gateway.config.load import Loaded, load_traced
from gateway.config.problems import ConfigErrors, ConfigProblem
from gateway.config.settings import Settings


@dataclass(slots=True, frozen=True)
class _Extra:
    """An extra, what of it is loaded, and which settings need it."""

    name: str
    module: str
    path: str
    is_wanted: Callable[[Settings], bool]
    message: str


_EXTRAS = (
    _Extra(
        "fast",
        "pyreqwest",
        "upstream.client",
        lambda settings: settings.upstream.client == "pyreqwest",
        "pyreqwest is not installed",
    ),
    _Extra(
        "otel",
        "opentelemetry.exporter.otlp.proto.http",
        "tracing.endpoint",
        lambda settings: bool(settings.tracing.endpoint),
        "OpenTelemetry is not installed",
    ),
)


def load_installed(
    text: str, environ: Mapping[str, str], base: Path, *, demo: bool, read_secret: Callable[[Path], str]
) -> Loaded:
    """As `load_traced`; ConfigErrors also for extras that are asked for and missing, with the remedy."""
    loaded = load_traced(text, environ, base, demo=demo, read_secret=read_secret)
    missing = [each for each in _EXTRAS if each.is_wanted(loaded.settings) and not _is_installed(each.module)]
    if missing:
        raise ConfigErrors(
            ConfigProblem(
                each.path, loaded.lines.get(each.path), each.message, f"pip install 'workers-ai-gateway[{each.name}]'"
            )
            for each in missing
        )
    return loaded


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
