"""(text, environment) → Settings, or every problem at once.

Pure: the caller reads the configuration file and hands in the environment, and a function that reads secrets' files.
The defaults are settings.py's and catalog.yaml's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.config.alerts import alert_settings
from gateway.config.document import Reading, compose
from gateway.config.kinds import Value
from gateway.config.models import CatalogBuild
from gateway.config.problems import ConfigErrors
from gateway.config.schema import ROOT
from gateway.config.server import server_settings
from gateway.config.settings import (
    ChatSettings,
    LedgerSettings,
    LogSettings,
    MetricsSettings,
    Settings,
    SpoolSettings,
    StoreSettings,
    TracingSettings,
)
from gateway.config.upstream import upstream_settings
from gateway.core.account import AccountRates
from gateway.core.neurons import NeuronPrice


@dataclass(slots=True, frozen=True)
class Loaded:
    """Settings and where they come from: `lines` of the file and `variables` of the environment, by path."""

    settings: Settings
    lines: Mapping[str, int]
    variables: Mapping[str, list[str]]


def load(
    text: str,
    environ: Mapping[str, str],
    base: Path,
    *,
    demo: bool,
    read_secret: Callable[[Path], str] | None = None,
) -> Settings:
    """The settings of one configuration file; an empty text gives the defaults.

    `base` is the absolute directory relative paths start from: the file's own. `demo` keeps data apart, puts the
    built-in aliases in force and leaves credentials out. Raises ConfigErrors, and nothing else, for any text.
    """
    return load_traced(text, environ, base, demo=demo, read_secret=read_secret).settings


def load_traced(
    text: str,
    environ: Mapping[str, str],
    base: Path,
    *,
    demo: bool,
    read_secret: Callable[[Path], str] | None = None,
) -> Loaded:
    """As `load`, with the places the values come from."""
    reading = Reading(environ, base, read_secret)
    root = compose(text)
    values: dict[str, Value] = ROOT.read(root, "", reading) if root else {}
    store = StoreSettings(**values.get("store", {}))
    admin_key = values.get("admin_key", "")
    if store.url != "embedded" and not admin_key and not reading.has_refused("admin_key"):
        reading.refuse("admin_key", "must be given with an external store", "all replicas share it")
    data_dir = reading.absolute(values.get("data_dir", "./data"))
    tokenizer = values.get("tokenizer", {}).get("path")
    settings = Settings(
        server=server_settings(values.get("server", {}), reading),
        upstream=upstream_settings(values.get("upstream", {}), reading, demo=demo),
        store=store,
        chat=ChatSettings(**values.get("chat", {})),
        ledger=LedgerSettings(**values.get("ledger", {})),
        spool=SpoolSettings(**values.get("spool", {})),
        alerts=alert_settings(values.get("alerts", {}), reading),
        account=AccountRates(**values.get("account", {})),
        neurons=_neuron_price(values.get("neurons", {})),
        metrics=MetricsSettings(**values.get("metrics", {})),
        log=LogSettings(**values.get("log", {})),
        tracing=TracingSettings(**values.get("tracing", {})),
        data_dir=data_dir / "demo" if demo else data_dir,
        admin_key=admin_key,
        catalog=CatalogBuild(values, reading).catalog(with_aliases=demo),
        tokenizer_path=reading.absolute(tokenizer) if tokenizer else None,
        is_demo=demo,
    )
    if reading.problems:
        raise ConfigErrors(reading.problems)
    return Loaded(settings, reading.lines, reading.variables)


def _neuron_price(given: dict[str, Value]) -> NeuronPrice:
    named = {"usd_per_thousand": "nano_per_thousand"}
    return NeuronPrice(**{named.get(name, name): value for name, value in given.items()})
