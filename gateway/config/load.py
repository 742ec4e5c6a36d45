"""(text, environment) → Settings, or every problem at once.

Pure: the caller reads the configuration file and hands in the environment, and a function that reads secrets' files.
The defaults are settings.py's and catalog.yaml's.
"""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.config.document import Reading, compose
from gateway.config.kinds import Scalar, Value
from gateway.config.models import CatalogBuild
from gateway.config.problems import ConfigErrors
from gateway.config.schema import ACCOUNT_ID, API_TOKEN, ROOT
from gateway.config.settings import MetricsSettings, ServerSettings, Settings, StoreSettings, UpstreamSettings

ACCOUNT_VARIABLES = ("CLOUDFLARE_ACCOUNT_ID",)
TOKEN_VARIABLES = ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_AUTH_TOKEN")


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
    reading = Reading(environ, base, read_secret)
    root = compose(text)
    values: dict[str, Value] = ROOT.read(root, "", reading) if root else {}
    store = StoreSettings(**values.get("store", {}))
    admin_key = values.get("admin_key", "")
    if store.url != "embedded" and not admin_key and not reading.has_refused("admin_key"):
        reading.refuse("admin_key", "must be given with an external store", "all replicas share it")
    data_dir = _path_of(values.get("data_dir", "./data"), reading)
    tokenizer = values.get("tokenizer", {}).get("path")
    settings = Settings(
        server=ServerSettings(**values.get("server", {})),
        upstream=_upstream(values.get("upstream", {}), reading, demo=demo),
        store=store,
        metrics=MetricsSettings(**values.get("metrics", {})),
        data_dir=data_dir / "demo" if demo else data_dir,
        admin_key=admin_key,
        catalog=CatalogBuild(values, reading).catalog(with_aliases=demo),
        tokenizer_path=_path_of(tokenizer, reading) if tokenizer else None,
        is_demo=demo,
    )
    if reading.problems:
        raise ConfigErrors(reading.problems)
    return settings


def _upstream(given: dict[str, Value], reading: Reading, *, demo: bool) -> UpstreamSettings:
    """The account, from the environment where the file is silent. The demo never sees anybody's credentials."""
    upstream = UpstreamSettings(**given)
    upstream = replace(upstream, base_url=upstream.base_url.rstrip("/"))
    if demo:
        return replace(upstream, account_id="", api_token="")
    account = upstream.account_id or _from_environment(ACCOUNT_VARIABLES, ACCOUNT_ID, "upstream.account_id", reading)
    token = upstream.api_token or _from_environment(TOKEN_VARIABLES, API_TOKEN, "upstream.api_token", reading)
    if account and not token and not reading.has_refused("upstream.api_token"):
        fix = f"set {' or '.join(TOKEN_VARIABLES)}"
        reading.refuse("upstream.api_token", "an account id is set, but no API token", fix)
    if token and not account and not reading.has_refused("upstream.account_id"):
        fix = f"set {' or '.join(ACCOUNT_VARIABLES)}"
        reading.refuse("upstream.account_id", "an API token is set, but no account id", fix)
    return replace(upstream, account_id=account, api_token=token)


def _from_environment(variables: tuple[str, ...], kind: Scalar, path: str, reading: Reading) -> str:
    """The first of `variables` that says anything, checked like a value in the file."""
    for name in variables:
        given = reading.environ.get(name, "").strip()
        if not given:
            continue
        try:
            return str(kind.parse(given))
        except ValueError:
            reading.refuse(path, f"the environment variable {name} is not {kind.meaning}")
            return ""
    return ""


def _path_of(given: str, reading: Reading) -> Path:
    """Absolute, without `..`; `~/` is the home directory the environment names."""
    home = reading.environ.get("HOME", "")
    if given.startswith("~/") and home:
        given = posixpath.join(home, given[2:])
    return Path(posixpath.normpath(reading.base / given))
