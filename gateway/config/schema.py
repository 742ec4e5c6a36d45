"""Every key a configuration can have: the one table behind parsing, the JSON Schema and docs/configuration.md.

Defaults stand in settings.py and are only shown here.
"""

from typing import Final

from gateway.config.account import ACCOUNT, NEURONS
from gateway.config.alerts import ALERTS
from gateway.config.catalog_schema import CATALOG_KEYS, MODEL_ID
from gateway.config.kinds import (
    FILE_PATH,
    JsonSchema,
    Key,
    Kind,
    ListOf,
    MapOf,
    Section,
    choice,
    integer,
    network,
    number,
    text,
    timezone,
)
from gateway.config.observing import LOG, TRACING
from gateway.config.settings import (
    ChatSettings,
    LedgerSettings,
    MetricsSettings,
    ServerSettings,
    SpoolSettings,
    StoreSettings,
    UpstreamSettings,
)

_SERVER: Final = ServerSettings()
_UPSTREAM: Final = UpstreamSettings()
_STORE: Final = StoreSettings()
_CHAT: Final = ChatSettings()
_LEDGER: Final = LedgerSettings()

MAX_SECONDS: Final = 86_400

# Credentials travel in header lines: a blank or a line break in one is always a slip.
API_TOKEN: Final = text("a token without blanks", r"[\x21-\x7e]*", secret=True)
PROXY: Final = text("a proxy's URL", r"((https?|socks5h?)://[\x21-\x7e]+)?", secret=True)
PEM: Final = text("PEM text, from -----BEGIN to -----END", r"(-----BEGIN (?s:.*)-----)?", secret=True)
ACCOUNT_ID: Final = text("a Cloudflare account id", r"[A-Za-z0-9_-]*")


def _seconds(name: str, about: str, default: float) -> Key:
    return Key(name, number(0.001, MAX_SECONDS), f"{about}, seconds.", f"{default:g}")


SERVER: Final = Section(
    (
        Key("host", text("a host name or address", r"[^\s/]+"), "Address to listen on.", _SERVER.host),
        Key("port", integer(0, 65_535), "Port to listen on; 0 takes any free one.", str(_SERVER.port)),
        Key("workers", integer(1, 256), "Worker processes; one per core is enough.", str(_SERVER.workers)),
        Key(
            "max_body_bytes",
            integer(1_024, 1 << 30),
            "Largest request body taken, bytes; a larger one is answered with 413.",
            str(_SERVER.max_body_bytes),
        ),
        _seconds("drain_seconds", "How long open streams may finish after SIGTERM", _SERVER.drain_seconds),
        Key(
            "unready_seconds",
            number(0, MAX_SECONDS),
            "How long after SIGTERM the gateway still takes connections while `/readyz` already answers 503, so that "
            "a load balancer can look away, seconds.",
            f"{_SERVER.unready_seconds:g}",
        ),
        _seconds("request_seconds", "Longest time a client may take to send a request", _SERVER.request_seconds),
        Key(
            "cors_origins",
            ListOf(text("an origin such as https://chat.example, or *", r"\*|https?://[A-Za-z0-9.:\[\]-]+")),
            "Web pages that may call the client API from a browser, by origin; `*` is any page.",
            "none",
        ),
        Key(
            "tls_certificate",
            PEM,
            "Certificate with its chain: the listener speaks TLS. A renewed file is taken over while streams run.",
            "none: plain HTTP",
            has_file=True,
        ),
        Key("tls_key", PEM, "The certificate's key, without a password.", "none", has_file=True),
        Key(
            "trusted_proxies",
            ListOf(network()),
            "Proxies whose `X-Forwarded-For` tells the client's address; everybody else's is ignored.",
            "none",
        ),
    )
)

UPSTREAM: Final = Section(
    (
        Key(
            "base_url",
            text(
                "an http:// or https:// URL without query",
                r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^\s?#]*)?",
            ),
            "Cloudflare's API, or whatever speaks like it.",
            _UPSTREAM.base_url,
        ),
        Key(
            "account_id",
            ACCOUNT_ID,
            "Cloudflare account.",
            "$CLOUDFLARE_ACCOUNT_ID",
        ),
        Key(
            "api_token",
            API_TOKEN,
            "Token with the permissions Workers AI Read and Edit.",
            "$CLOUDFLARE_API_TOKEN, else $CLOUDFLARE_AUTH_TOKEN",
            has_file=True,
        ),
        Key(
            "client",
            choice(("auto", "pyreqwest", "httpx2")),
            "HTTP client; `auto` takes pyreqwest where it is installed (extra `fast`), else httpx2.",
            _UPSTREAM.client,
        ),
        _seconds("connect_seconds", "Longest wait for a connection", _UPSTREAM.connect_seconds),
        _seconds(
            "first_byte_seconds",
            "Longest wait for the first event (Cloudflare queues while it has no capacity)",
            _UPSTREAM.first_byte_seconds,
        ),
        _seconds("read_seconds", "Longest silence inside an answer", _UPSTREAM.read_seconds),
        _seconds("total_seconds", "Longest answer, all attempts together", _UPSTREAM.total_seconds),
        Key(
            "max_connections",
            integer(1, 65_535),
            "Connections to the upstream at a time, per worker.",
            str(_UPSTREAM.max_connections),
        ),
        Key(
            "proxy",
            PROXY,
            "HTTP proxy on the way to the upstream; never used for loopback.",
            "$HTTPS_PROXY, unless $NO_PROXY names the host",
            has_file=True,
        ),
        Key(
            "ca_file",
            FILE_PATH,
            "Certificates (PEM) trusted for the upstream besides the system's, relative to this file.",
            "$SSL_CERT_FILE, else none",
        ),
    )
)

STORE: Final = Section(
    (
        Key(
            "url",
            text(
                "embedded, or a redis://, rediss:// or unix:// URL",
                r"embedded|(redis|rediss|unix)://[\x21-\x7e]+",
                secret=True,
            ),
            "Where accounts are kept: `embedded` runs a server of our own below data_dir, else a Redis or Valkey.",
            _STORE.url,
            has_file=True,
        ),
        Key(
            "prefix",
            text("1 to 64 printable characters without blanks and braces", r"[!-z|~]{1,64}"),
            "Every key in the store starts with this.",
            _STORE.prefix,
        ),
    )
)

CHAT: Final = Section(
    (
        Key(
            "out_of_range",
            choice(("clamp", "refuse")),
            "A parameter the chosen model does not take as it is (a negative penalty, top_p 0): `clamp` moves it to "
            "the bound and names it in `x-gateway-ignored`, `refuse` answers 400.",
            _CHAT.out_of_range,
        ),
        Key("max_choices", integer(1, 128), "Largest `n`; each choice is an upstream call.", str(_CHAT.max_choices)),
        _seconds("heartbeat_seconds", "Silence in a stream after which a comment is sent", _CHAT.heartbeat_seconds),
        Key(
            "commit_after_seconds",
            number(0, MAX_SECONDS),
            "Begin a stream after so many seconds without an upstream event, so that heartbeats can be sent; from "
            "then on errors arrive inside the stream and nothing is retried. 0 never does.",
            f"{_CHAT.commit_after_seconds:g}",
        ),
    )
)

LEDGER: Final = Section(
    (
        Key(
            "retention_days",
            integer(8, 36_500),
            "Days that rows stay in the store; older ones are exported to `data_dir/export` and trimmed.",
            str(_LEDGER.retention_days),
        ),
        Key(
            "max_rows",
            integer(1_000, 1_000_000_000),
            "Most rows in the store; what is more is exported and trimmed, oldest first.",
            str(_LEDGER.max_rows),
        ),
        Key(
            "rollup_tags",
            ListOf(text("a tag's name, at most 64 characters without =", r"[^=\x00-\x1f]{1,64}")),
            "Tags by whose values usage is summed up as well, per hour, project and model. 10,000 sums a day at most; "
            "values beyond that count as `(other)`.",
            "none",
        ),
        Key(
            "timezone",
            timezone(),
            "By whose calendar the days, weeks and months of limits begin; all replicas have the same.",
            _LEDGER.timezone,
        ),
    )
)

SPOOL: Final = Section(
    (
        Key(
            "fsync",
            choice(("never", "interval", "always")),
            "When receipts reach the disk itself: `never` leaves it to the system, `interval` is every second, "
            "`always` before every answer. Only a power loss can tell the difference.",
            SpoolSettings().fsync,
        ),
    )
)

METRICS: Final = Section(
    (
        Key(
            "listen",
            text("host:port, or empty", r"([^\s/]+:[0-9]{1,5})?"),
            "Where Prometheus may scrape `/metrics`; empty switches it off.",
            MetricsSettings().listen,
        ),
    )
)

TOKENIZER: Final = Section(
    (
        Key(
            "path",
            FILE_PATH,
            "Vocabulary file of Llama 3 (`tokenizer.model`), relative to this file.",
            "the one in the `llama-models` package, where installed",
        ),
    )
)

ROOT: Final = Section(
    (
        Key("server", SERVER, "The listener and its processes."),
        Key("upstream", UPSTREAM, "The Cloudflare account and how long to wait for it."),
        Key("store", STORE, "Redis or Valkey."),
        Key("data_dir", FILE_PATH, "Spool, embedded store and generated keys, relative to this file.", "./data"),
        Key(
            "admin_key",
            text("8 or more characters without blanks, or empty", r"([\x21-\x7e]{8,})?", secret=True),
            "Opens `/v1/organization/…`. Must be given with an external store.",
            "generated below data_dir",
            has_file=True,
        ),
        Key("chat", CHAT, "Chat completions."),
        Key("ledger", LEDGER, "How long single requests stay readable; sums stay for good."),
        Key("spool", SPOOL, "Receipts on disk."),
        Key("alerts", ALERTS, "Who is told how much of a budget is used."),
        Key("account", ACCOUNT, "What Cloudflare allows the account; requests wait rather than exceed it."),
        Key("neurons", NEURONS, "What the account pays for neurons, beside the price book."),
        Key("metrics", METRICS, "Prometheus."),
        Key("log", LOG, "Standard error."),
        Key("tracing", TRACING, "OpenTelemetry."),
        Key("tokenizer", TOKENIZER, "Exact token counts."),
        *CATALOG_KEYS,
    )
)


def json_schema() -> JsonSchema:
    """The configuration file as JSON Schema, for editors; published as docs/config.schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "workers-ai-gateway configuration",
        **ROOT.schema(),
    }


def described_keys() -> list[tuple[str, Key]]:
    """Every key with its path, in order; `<id>`, `<name>` and `[]` stand for what the user chooses."""
    return _below("", ROOT)


def _below(path: str, kind: Kind) -> list[tuple[str, Key]]:
    if isinstance(kind, MapOf):
        return _below(f"{path}.<{'id' if kind.name is MODEL_ID else 'name'}>", kind.value)
    if isinstance(kind, ListOf):
        return _below(f"{path}[]", kind.item)
    if not isinstance(kind, Section):
        return []
    found: list[tuple[str, Key]] = []
    for key in kind.keys:
        here = f"{path}.{key.name}" if path else key.name
        found.append((here, key))
        found.extend(_below(here, key.kind))
    return found
