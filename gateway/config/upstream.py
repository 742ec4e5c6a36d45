"""The `upstream` section with the environment's share: credentials, proxy and certificates where the file is silent.

Decides which variable counts. Never reads the environment itself.
"""

from dataclasses import replace

from gateway.config.document import Reading
from gateway.config.kinds import Scalar, Value
from gateway.config.schema import ACCOUNT_ID, API_TOKEN, PROXY
from gateway.config.settings import UpstreamSettings

ACCOUNT_VARIABLES = ("CLOUDFLARE_ACCOUNT_ID",)
TOKEN_VARIABLES = ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_AUTH_TOKEN")
CA_VARIABLE = "SSL_CERT_FILE"


def upstream_settings(given: dict[str, Value], reading: Reading, *, demo: bool) -> UpstreamSettings:
    """The account and the way to it. The demo stays on this machine and never sees anybody's credentials."""
    upstream = UpstreamSettings(**given)
    ca_file = str(reading.absolute(upstream.ca_file)) if upstream.ca_file else reading.environ.get(CA_VARIABLE, "")
    if ca_file and not upstream.ca_file:
        reading.variables["upstream.ca_file"] = [CA_VARIABLE]
    upstream = replace(upstream, base_url=upstream.base_url.rstrip("/"), ca_file=ca_file)
    if demo:
        return replace(upstream, account_id="", api_token="", proxy="")
    account = upstream.account_id or _from_environment(ACCOUNT_VARIABLES, ACCOUNT_ID, "upstream.account_id", reading)
    token = upstream.api_token or _from_environment(TOKEN_VARIABLES, API_TOKEN, "upstream.api_token", reading)
    _require_both(account, token, reading)
    proxy = upstream.proxy or _proxy(upstream.base_url, reading)
    return replace(upstream, account_id=account, api_token=token, proxy=proxy)


def _require_both(account: str, token: str, reading: Reading) -> None:
    if account and not token and not reading.has_refused("upstream.api_token"):
        fix = f"set {' or '.join(TOKEN_VARIABLES)}"
        reading.refuse("upstream.api_token", "an account id is set, but no API token", fix)
    if token and not account and not reading.has_refused("upstream.account_id"):
        fix = f"set {' or '.join(ACCOUNT_VARIABLES)}"
        reading.refuse("upstream.account_id", "an API token is set, but no account id", fix)


def _from_environment(variables: tuple[str, ...], kind: Scalar, path: str, reading: Reading) -> str:
    """The first of `variables` that says anything, checked like a value in the file."""
    for name in variables:
        given = reading.environ.get(name, "").strip()
        if not given:
            continue
        reading.variables[path] = [name]
        try:
            return str(kind.parse(given))
        except ValueError:
            reading.refuse(path, f"the environment variable {name} is not {kind.meaning}")
            return ""
    return ""


def _proxy(base_url: str, reading: Reading) -> str:
    """The environment's proxy for this host. `HTTP_PROXY` in capitals is left alone, as curl does it."""
    variables = ("HTTPS_PROXY", "https_proxy") if base_url.startswith("https:") else ("http_proxy",)
    excepted = reading.environ.get("NO_PROXY") or reading.environ.get("no_proxy", "")
    host = base_url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    variable = next((name for name in variables if reading.environ.get(name)), "")
    proxy = reading.environ.get(variable, "").strip()
    if not proxy or _is_excepted(host.lower(), excepted.lower()):
        return ""
    reading.variables["upstream.proxy"] = [variable]
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        return str(PROXY.parse(proxy))
    except ValueError:
        reading.refuse("upstream.proxy", f"the environment's proxy is not {PROXY.meaning}")
        return ""


def _is_excepted(host: str, excepted: str) -> bool:
    """Whether `NO_PROXY` names the host, with or without its port, or a domain around it."""
    names = [name.strip().lstrip(".") for name in excepted.split(",")]
    bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return any(name == "*" or (name and f".{known}".endswith(f".{name}")) for name in names for known in (host, bare))
